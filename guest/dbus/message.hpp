// D-Bus messages as bytes, both ways, and the lines of the handshake before them.
//
// Shape:  pure. MessageReader takes bytes as they come and gives whole messages; encode_call makes a method call. No descriptors are passed.
// Limits: max_message_bytes a message (systemd's largest answers are some 100 KiB). Errors: Errc::protocol, Errc::limit; the connection is of no use then.
// Source: D-Bus specification, "Message Protocol".
#pragma once

#include "guest/dbus/body_reader.hpp"
#include "shared/base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::guest::dbus {

inline constexpr std::size_t max_message_bytes = 4 << 20;

struct Message {
  enum class Kind : std::uint8_t { other = 0, call = 1, reply = 2, error = 3, signal = 4 };
  Kind kind = Kind::other;
  std::uint32_t serial = 0, reply_to = 0;
  std::string path, interface, member, error, signature;
  std::string body;
  BodyReader reader() const { return {body, signature}; }
  friend bool operator==(const Message&, const Message&) = default;
};

/// The values of a call's body: texts, and lists of texts.
class Arguments {
public:
  Arguments& text(std::string_view value);  // s
  Arguments& texts(const std::vector<std::string>& values);  // as
  Arguments& number(std::uint32_t value);  // u
  const std::string& signature() const { return signature_; }
  const std::string& body() const { return body_; }

private:
  void append_text(std::string_view value);
  std::string signature_, body_;
};

struct Call {
  std::string path, interface, member;
  Arguments arguments = {};
};

std::string encode_call(std::uint32_t serial, const Call& call);

class MessageReader {
public:
  void add(std::string_view bytes) { buffer_.append(bytes); }
  /// nullopt: the next message is not whole yet. After an error there is nothing more.
  Result<std::optional<Message>> next();
  std::size_t held() const { return buffer_.size(); }

private:
  std::string buffer_;
};

}  // namespace vigil::guest::dbus
