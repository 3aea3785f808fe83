#include "host/cli/event_parser.hpp"

#include <utility>

namespace vigil::cli {

std::vector<StreamedEvent> EventParser::feed(std::string_view bytes) {
  std::vector<StreamedEvent> events;
  for (const char byte : bytes) {
    if (byte != '\n') {
      line_ += byte;
      continue;
    }
    if (!line_.empty() && line_.back() == '\r') line_.pop_back();
    take_line(line_, events);
    line_.clear();
  }
  return events;
}

void EventParser::take_line(std::string_view line, std::vector<StreamedEvent>& events) {
  if (line.empty()) {
    if (has_data_) events.push_back(std::exchange(event_, {}));
    event_ = {};
    has_data_ = false;
    return;
  }
  const auto colon = line.find(':');
  const auto field = line.substr(0, colon);
  auto value = colon == line.npos ? std::string_view() : line.substr(colon + 1);
  if (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  if (field == "id") event_.id = value;
  if (field == "event") event_.type = value;
  if (field == "data") {
    if (has_data_) event_.data += '\n';
    event_.data += value;
    has_data_ = true;
  }
}

}  // namespace vigil::cli
