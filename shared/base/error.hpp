// What went wrong, for code that may act on it.
//
// Shape:  Errc is the class of the failure (what a caller may do about it), message says which thing, the cause and,
//         where there is one, the mend. Context is added on the way up: "load image: open /x: No such file".
// Errors: an Error is returned or logged, never both.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace vigil {

enum class Errc {
  internal,      // a bug, or something nobody may act on
  invalid,       // the input is wrong; retrying cannot help
  not_found,
  conflict,      // the thing exists, or its state forbids the operation
  denied,        // permission or authentication
  limit,         // a size, count or rate limit was exceeded
  timeout,
  unavailable,   // the peer is gone or not there yet; retrying may help
  io,            // the operating system refused; the message holds errno's text
  protocol,      // the peer broke a wire format
  unsupported,
};

std::string_view to_text(Errc code);
std::optional<Errc> parse_errc(std::string_view text);

class Error {
public:
  Error() = default;   // boost::system::result needs it; means "internal"
  Error(Errc code, std::string message) : code_(code), message_(std::move(message)) {}

  /// "<what>: <strerror(errno_value)>"; ENOENT becomes not_found, EACCES/EPERM denied, EEXIST conflict, the rest io.
  static Error from_errno(std::string_view what, int errno_value);

  /// The same error, its message prefixed "<context>: ".
  [[nodiscard]] Error with_context(std::string_view context) const;

  Errc code() const { return code_; }
  const std::string& message() const { return message_; }
  friend bool operator==(const Error&, const Error&) = default;

private:
  Errc code_ = Errc::internal;
  std::string message_;
};

}  // namespace vigil
