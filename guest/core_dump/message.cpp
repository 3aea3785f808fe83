#include "guest/core_dump/message.hpp"

#include <algorithm>

namespace vigil::guest::core_dump {

std::string make_message(std::initializer_list<std::string_view> fields) {
  std::string message;
  for (const std::string_view field : fields) {
    if (!message.empty()) message += '\0';
    const std::size_t begin = message.size();
    message += field;
    std::replace(message.begin() + static_cast<std::ptrdiff_t>(begin), message.end(), '\0', ' ');
  }
  if (message.size() > max_message_bytes) message.resize(max_message_bytes);
  return message;
}

std::vector<std::string_view> fields_of(std::string_view message) {
  std::vector<std::string_view> fields;
  while (fields.size() < max_message_fields) {
    const std::size_t end = std::min(message.find('\0'), message.size());
    fields.push_back(message.substr(0, end));
    if (end == message.size()) break;
    message.remove_prefix(end + 1);
  }
  return fields;
}

}  // namespace vigil::guest::core_dump
