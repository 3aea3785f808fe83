#include "shared/base/error.hpp"

#include <cerrno>
#include <cstdlib>
#include <system_error>

namespace vigil {

std::string_view to_text(Errc code) {
  switch (code) {
    case Errc::internal: return "internal";
    case Errc::invalid: return "invalid";
    case Errc::not_found: return "not_found";
    case Errc::conflict: return "conflict";
    case Errc::denied: return "denied";
    case Errc::limit: return "limit";
    case Errc::timeout: return "timeout";
    case Errc::unavailable: return "unavailable";
    case Errc::io: return "io";
    case Errc::protocol: return "protocol";
    case Errc::unsupported: return "unsupported";
  }
  std::abort();   // a value outside the enum: memory is corrupt
}

std::optional<Errc> parse_errc(std::string_view text) {
  for (const auto code : {Errc::internal, Errc::invalid, Errc::not_found, Errc::conflict, Errc::denied, Errc::limit, Errc::timeout, Errc::unavailable, Errc::io,
                          Errc::protocol, Errc::unsupported})
    if (to_text(code) == text) return code;
  return std::nullopt;
}

namespace {

Errc class_of(int errno_value) {
  switch (errno_value) {
    case ENOENT: return Errc::not_found;
    case EACCES:
    case EPERM: return Errc::denied;
    case EEXIST: return Errc::conflict;
    default: return Errc::io;
  }
}

}  // namespace

Error Error::from_errno(std::string_view what, int errno_value) {
  return Error(class_of(errno_value), std::string(what) + ": " + std::generic_category().message(errno_value));
}

Error Error::with_context(std::string_view context) const { return Error(code_, std::string(context) + ": " + message_); }

}  // namespace vigil
