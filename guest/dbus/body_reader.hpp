// Reads the values of one D-Bus message body, guided by its signature.
//
// Shape:  pure; a cursor over bytes that somebody else owns. Each read takes the next value of the signature, or fails for good: from then on everything is empty and
//         failed() is true, so a caller may read on and look once. Nothing outside the body is touched, whatever it says.
// Limits: containers at most max_depth deep, as the specification allows (32 arrays and 32 structures, variants within).
// Source: D-Bus specification, "Type System", "Marshaling". Little-endian only: both ends are this machine.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

namespace vigil::guest::dbus {

inline constexpr int max_depth = 64;

/// The length of the first complete type in `signature`; nullopt: there is none.
std::optional<std::size_t> complete_type(std::string_view signature, int depth = 0);

class BodyReader {
public:
  BodyReader(std::string_view body, std::string_view signature);

  bool failed() const { return failed_; }
  /// The code of the next value's type; 0 at the end.
  char next() const { return signature_.empty() ? '\0' : signature_.front(); }

  /// Of any whole number or boolean; negative ones as their two's complement.
  std::uint64_t number();
  /// Of a string, an object path or a signature. Points into the body.
  std::string_view text();
  void skip();
  /// Each element of the array that is next; the reader that is passed holds one element.
  void each(const std::function<void(BodyReader&)>& element);
  /// The members of the structure or dictionary entry that is next.
  void members(const std::function<void(BodyReader&)>& read);
  /// The value within the variant that is next.
  void variant(const std::function<void(BodyReader&)>& read);

private:
  BodyReader(std::string_view body, std::string_view signature, std::size_t at, int depth);
  bool align(std::size_t to);
  bool take(std::size_t size, std::uint64_t& value);
  void within(std::string_view signature, const std::function<void(BodyReader&)>& read);
  void fail();

  std::string_view body_, signature_;
  std::size_t at_ = 0;
  int depth_ = 0;
  bool failed_ = false;
};

}  // namespace vigil::guest::dbus
