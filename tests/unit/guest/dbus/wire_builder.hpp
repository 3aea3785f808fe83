// Makes D-Bus messages as a peer would send them, from another description of the format than the one under test: values are appended by hand, one function a type.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

namespace vigil::guest::dbus::test {

class Wire {
public:
  Wire& align(std::size_t to) {
    while (bytes_.size() % to != 0) bytes_ += '\0';
    return *this;
  }
  template <class Int>
  Wire& fixed(Int value) {
    align(sizeof value);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Wire& u(std::uint32_t value) { return fixed(value); }
  Wire& i(std::int32_t value) { return fixed(value); }
  Wire& t(std::uint64_t value) { return fixed(value); }
  Wire& y(std::uint8_t value) { return fixed(value); }
  Wire& s(std::string_view value) {
    u(static_cast<std::uint32_t>(value.size()));
    bytes_.append(value).push_back('\0');
    return *this;
  }
  Wire& g(std::string_view value) {
    y(static_cast<std::uint8_t>(value.size()));
    bytes_.append(value).push_back('\0');
    return *this;
  }
  /// An array whose elements `fill` appends; `alignment` of one element.
  Wire& array(std::size_t alignment, const std::function<void(Wire&)>& fill) {
    u(0);
    const std::size_t length_at = bytes_.size() - 4;
    align(alignment);
    const std::size_t begin = bytes_.size();
    fill(*this);
    const auto length = static_cast<std::uint32_t>(bytes_.size() - begin);
    std::memcpy(bytes_.data() + length_at, &length, sizeof length);
    return *this;
  }
  /// One entry of an a{sv}; `value` appends what is of the type `signature`.
  Wire& entry(std::string_view name, std::string_view signature, const std::function<void(Wire&)>& value) {
    align(8).s(name).g(signature);
    value(*this);
    return *this;
  }
  Wire& text_entry(std::string_view name, std::string_view value) {
    return entry(name, "s", [&](Wire& wire) { wire.s(value); });
  }
  const std::string& bytes() const { return bytes_; }

private:
  std::string bytes_;
};

struct Header {
  std::uint8_t kind = 4;
  std::uint32_t serial = 1, reply_to = 0;
  std::string path = {}, interface = {}, member = {}, error = {}, signature = {};
};

inline std::string make_message(const Header& header, const std::string& body) {
  Wire wire;
  wire.y('l').y(header.kind).y(1).y(1).u(static_cast<std::uint32_t>(body.size())).u(header.serial);
  wire.array(8, [&](Wire& fields) {
    const auto text = [&](std::uint8_t code, std::string_view type, const std::string& value) {
      if (value.empty()) return;
      fields.align(8).y(code).g(type);
      if (type == "g")
        fields.g(value);
      else
        fields.s(value);
    };
    text(1, "o", header.path);
    text(2, "s", header.interface);
    text(3, "s", header.member);
    text(4, "s", header.error);
    if (header.reply_to != 0) fields.align(8).y(5).g("u").u(header.reply_to);
    text(8, "g", header.signature);
  });
  wire.align(8);
  return wire.bytes() + body;
}

}  // namespace vigil::guest::dbus::test
