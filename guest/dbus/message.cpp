#include "guest/dbus/message.hpp"

#include <cstring>

namespace vigil::guest::dbus {
namespace {

constexpr std::size_t fixed_bytes = 16;      // up to and with the length of the header fields
constexpr std::size_t max_header_bytes = 64 << 10;
enum Field : std::uint64_t { path_field = 1, interface_field = 2, member_field = 3, error_field = 4, reply_field = 5, signature_field = 8 };

std::size_t padded(std::size_t size) { return (size + 7) / 8 * 8; }

std::uint32_t number_at(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

void append_number(std::string& out, std::uint32_t value) {
  out.resize((out.size() + 3) / 4 * 4, '\0');
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void append_field(std::string& out, Field field, char type, std::string_view value) {
  out.resize(padded(out.size()), '\0');
  out += {static_cast<char>(field), '\1', type, '\0'};
  if (type == 'g')
    out += static_cast<char>(value.size());
  else
    append_number(out, static_cast<std::uint32_t>(value.size()));
  out.append(value).push_back('\0');
}

void take_field(Message& message, std::uint64_t field, BodyReader& value) {
  switch (field) {
    case path_field: message.path = value.text(); break;
    case interface_field: message.interface = value.text(); break;
    case member_field: message.member = value.text(); break;
    case error_field: message.error = value.text(); break;
    case reply_field: message.reply_to = static_cast<std::uint32_t>(value.number()); break;
    case signature_field: message.signature = value.text(); break;
    default: value.skip();
  }
}

}  // namespace

void Arguments::append_text(std::string_view value) {
  append_number(body_, static_cast<std::uint32_t>(value.size()));
  body_.append(value).push_back('\0');
}

Arguments& Arguments::text(std::string_view value) {
  signature_ += 's';
  append_text(value);
  return *this;
}

Arguments& Arguments::number(std::uint32_t value) {
  signature_ += 'u';
  append_number(body_, value);
  return *this;
}

Arguments& Arguments::texts(const std::vector<std::string>& values) {
  signature_ += "as";
  append_number(body_, 0);
  const std::size_t begin = body_.size();
  for (const std::string& value : values) append_text(value);
  const auto bytes = static_cast<std::uint32_t>(body_.size() - begin);
  std::memcpy(body_.data() + begin - sizeof bytes, &bytes, sizeof bytes);
  return *this;
}

std::string encode_call(std::uint32_t serial, const Call& call) {
  std::string out = {'l', '\1', '\0', '\1'};
  append_number(out, static_cast<std::uint32_t>(call.arguments.body().size()));
  append_number(out, serial);
  append_number(out, 0);
  append_field(out, path_field, 'o', call.path);
  append_field(out, interface_field, 's', call.interface);
  append_field(out, member_field, 's', call.member);
  if (!call.arguments.signature().empty()) append_field(out, signature_field, 'g', call.arguments.signature());
  const auto fields = static_cast<std::uint32_t>(out.size() - fixed_bytes);
  std::memcpy(out.data() + fixed_bytes - sizeof fields, &fields, sizeof fields);
  out.resize(padded(out.size()), '\0');
  return out + call.arguments.body();
}

Result<std::optional<Message>> MessageReader::next() {
  if (buffer_.size() < fixed_bytes) return std::optional<Message>();
  if (buffer_[0] != 'l' || buffer_[3] != 1) return Error(Errc::protocol, "not a little-endian D-Bus message of version 1");
  const std::size_t body_bytes = number_at(buffer_, 4), field_bytes = number_at(buffer_, 12);
  if (body_bytes > max_message_bytes || field_bytes > max_header_bytes) return Error(Errc::limit, "a D-Bus message over its limits");
  const std::size_t header = padded(fixed_bytes + field_bytes);
  if (buffer_.size() < header + body_bytes) return std::optional<Message>();

  Message message;
  const auto kind = static_cast<std::uint8_t>(buffer_[1]);
  message.kind = kind <= 4 ? static_cast<Message::Kind>(kind) : Message::Kind::other;
  message.serial = number_at(buffer_, 8);
  BodyReader fields(std::string_view(buffer_).substr(0, fixed_bytes + field_bytes), "yyyyuua(yv)");
  for (int passed = 0; passed < 6; ++passed) fields.skip();
  fields.each([&message](BodyReader& row) {
    row.members([&message](BodyReader& field) {
      const std::uint64_t code = field.number();
      field.variant([&](BodyReader& value) { take_field(message, code, value); });
    });
  });
  if (fields.failed()) return Error(Errc::protocol, "a D-Bus message with broken header fields");
  message.body = buffer_.substr(header, body_bytes);
  buffer_.erase(0, header + body_bytes);
  return std::optional(std::move(message));
}

}  // namespace vigil::guest::dbus
