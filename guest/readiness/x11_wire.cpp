#include "guest/readiness/x11_wire.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace vigil::guest::readiness::x11 {
namespace {

constexpr std::size_t message_bytes = 32, setup_prefix = 8;
constexpr std::size_t longest_message = 32 * 1024;   // ours are short
constexpr std::uint16_t protocol_major = 11;

template <class T>
T field(std::string_view bytes, std::size_t at) {
  T value{};
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

/// A request under construction.
class Words {
public:
  template <class T>
  Words& add(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  std::string take() { return std::move(bytes_); }

private:
  std::string bytes_;
};

Words request(std::uint8_t opcode, std::uint8_t detail, std::uint16_t length_in_words) {
  Words words;
  words.add(opcode).add(detail).add(length_in_words);
  return words;
}

constexpr std::uint32_t most_windows = 1024;

constexpr std::size_t padded(std::size_t length) { return (length + 3) / 4 * 4; }

std::string name_request(std::uint8_t opcode, std::string_view name) {
  const auto length = static_cast<std::uint16_t>(name.size());
  std::string bytes = request(opcode, 0, static_cast<std::uint16_t>(2 + padded(name.size()) / 4)).add(length).add(std::uint16_t{0}).take();
  bytes += name;
  bytes.append(padded(name.size()) - name.size(), '\0');
  return bytes;
}

std::string windows_request(std::uint32_t window, std::uint32_t property, std::uint32_t count) {
  constexpr std::uint32_t type_window = 33, offset = 0;
  return request(20, 0, 6).add(window).add(property).add(type_window).add(offset).add(count).take();
}

Setup read_screen(std::string_view reply) {
  constexpr std::size_t vendor_length_at = 24, formats_at = 29, screens_at = 28, fixed = 40, format_bytes = 8, screen_bytes = 40;
  Setup setup;
  setup.kind = Setup::Kind::not_x11;
  if (reply.size() < fixed) return setup;
  const std::size_t screen =
      fixed + padded(field<std::uint16_t>(reply, vendor_length_at)) + format_bytes * field<std::uint8_t>(reply, formats_at);
  if (field<std::uint8_t>(reply, screens_at) == 0 || reply.size() < screen + screen_bytes) return setup;
  setup.kind = Setup::Kind::accepted;
  setup.root = field<std::uint32_t>(reply, screen);
  setup.size = {field<std::uint16_t>(reply, screen + 20), field<std::uint16_t>(reply, screen + 22)};
  setup.bytes = reply.size();
  return setup;
}

}  // namespace

std::string setup_request() {
  const std::uint8_t byte_order = std::endian::native == std::endian::little ? 'l' : 'B';
  const std::uint16_t none = 0;
  return Words().add(byte_order).add(std::uint8_t{0}).add(protocol_major).add(none).add(none).add(none).add(none).take();
}

Setup read_setup(std::string_view bytes) {
  Setup setup;
  if (bytes.empty()) return setup;
  const auto status = field<std::uint8_t>(bytes, 0);
  setup.kind = Setup::Kind::not_x11;
  if (status > 2) return setup;
  setup.kind = Setup::Kind::incomplete;
  if (bytes.size() < setup_prefix) return setup;
  const std::size_t whole = setup_prefix + std::size_t{4} * field<std::uint16_t>(bytes, 6);
  const bool accepted = status == 1;
  if (status != 2 && field<std::uint16_t>(bytes, 2) != protocol_major) {
    setup.kind = Setup::Kind::not_x11;
    return setup;
  }
  if (bytes.size() < whole) return setup;
  if (accepted) return read_screen(bytes.substr(0, whole));
  setup.kind = Setup::Kind::refused;
  const std::string_view reason = bytes.substr(setup_prefix, whole - setup_prefix);
  setup.reason = std::string(status == 0 ? reason.substr(0, field<std::uint8_t>(bytes, 1)) : reason.substr(0, reason.find('\0')));
  return setup;
}

std::string watch_window_request(std::uint32_t window) {
  constexpr std::uint32_t event_mask = 1U << 11, structure = 1U << 17, properties = 1U << 22;
  return request(2, 0, 4).add(window).add(event_mask).add(std::uint32_t{structure | properties}).take();
}

std::string geometry_request(std::uint32_t window) { return request(14, 0, 2).add(window).take(); }

std::string atom_request(std::string_view name) { return name_request(16, name); }
std::string extension_request(std::string_view name) { return name_request(98, name); }

std::string window_property_request(std::uint32_t window, std::uint32_t property) { return windows_request(window, property, 1); }
std::string window_list_request(std::uint32_t window, std::uint32_t property) { return windows_request(window, property, most_windows); }

std::string client_process_request(std::uint8_t resource_extension, std::uint32_t window) {
  constexpr std::uint8_t query_client_ids = 4;
  constexpr std::uint32_t one_client = 1, local_process = 2;
  return request(resource_extension, query_client_ids, 4).add(one_client).add(window).add(local_process).take();
}

Progress read_message(std::string_view bytes, Message& message) {
  constexpr std::uint8_t generic_event = 35, sent_by_client = 0x80;
  if (bytes.size() < message_bytes) return Progress::incomplete;
  message.type = field<std::uint8_t>(bytes, 0) & static_cast<std::uint8_t>(~sent_by_client);
  message.sequence = field<std::uint16_t>(bytes, 2);
  const bool may_be_longer = message.type == Message::reply || message.type == generic_event;
  const std::uint64_t whole = message_bytes + (may_be_longer ? std::uint64_t{4} * field<std::uint32_t>(bytes, 4) : 0);
  if (whole > longest_message) return Progress::too_long;
  if (bytes.size() < whole) return Progress::incomplete;
  message.bytes = bytes.substr(0, static_cast<std::size_t>(whole));
  return Progress::complete;
}

service_spec::ScreenSize geometry_of(const Message& reply) {
  return {field<std::uint16_t>(reply.bytes, 16), field<std::uint16_t>(reply.bytes, 18)};
}

std::uint32_t atom_of(const Message& reply) { return field<std::uint32_t>(reply.bytes, 8); }

std::optional<std::uint32_t> window_property_of(const Message& reply) {
  const auto format = field<std::uint8_t>(reply.bytes, 1);
  if (format != 32 || field<std::uint32_t>(reply.bytes, 16) != 1 || reply.bytes.size() < message_bytes + 4) return std::nullopt;
  const auto window = field<std::uint32_t>(reply.bytes, message_bytes);
  return window == 0 ? std::nullopt : std::optional(window);
}

std::vector<std::uint32_t> windows_of(const Message& reply) {
  std::vector<std::uint32_t> windows;
  if (field<std::uint8_t>(reply.bytes, 1) != 32) return windows;
  const std::size_t there = (reply.bytes.size() - message_bytes) / sizeof(std::uint32_t);
  const std::size_t count = std::min<std::size_t>({there, field<std::uint32_t>(reply.bytes, 16), most_windows});
  for (std::size_t each = 0; each < count; ++each) windows.push_back(field<std::uint32_t>(reply.bytes, message_bytes + each * sizeof(std::uint32_t)));
  return windows;
}

std::optional<std::uint8_t> extension_of(const Message& reply) {
  return field<std::uint8_t>(reply.bytes, 8) == 0 ? std::nullopt : std::optional(field<std::uint8_t>(reply.bytes, 9));
}

std::optional<std::uint32_t> process_of(const Message& reply) {
  constexpr std::size_t length_at = message_bytes + 8, value_at = message_bytes + 12;
  const bool is_one = field<std::uint32_t>(reply.bytes, 8) == 1 && reply.bytes.size() >= value_at + 4 && field<std::uint32_t>(reply.bytes, length_at) == 4;
  return is_one ? std::optional(field<std::uint32_t>(reply.bytes, value_at)) : std::nullopt;
}

std::uint32_t property_of(const Message& property_notify) { return field<std::uint32_t>(property_notify.bytes, 8); }

std::uint32_t window_of(const Message& configure_notify) { return field<std::uint32_t>(configure_notify.bytes, 8); }

service_spec::ScreenSize size_of(const Message& configure_notify) {
  return {field<std::uint16_t>(configure_notify.bytes, 20), field<std::uint16_t>(configure_notify.bytes, 22)};
}

}  // namespace vigil::guest::readiness::x11
