#include "shared/base/ids.hpp"

#include <algorithm>

namespace vigil {

namespace {

constexpr std::string_view crockford = "0123456789abcdefghjkmnpqrstvwxyz";   // no i, l, o, u
constexpr std::string_view name_start = "abcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::string_view instance_name_letters = "abcdefghijklmnopqrstuvwxyz0123456789-";
constexpr std::string_view service_name_letters = "abcdefghijklmnopqrstuvwxyz0123456789._-";
constexpr std::size_t max_name_bytes = 63;

bool made_of(std::string_view text, std::string_view alphabet) { return text.find_first_not_of(alphabet) == text.npos; }

bool is_name(std::string_view text, std::string_view letters) {
  return !text.empty() && text.size() <= max_name_bytes && made_of(text.substr(0, 1), name_start) && made_of(text, letters);
}

/// At most this much of a refused text goes into the error: it may come from a guest.
std::string quoted(std::string_view text) { return "'" + std::string(text.substr(0, 64)) + "'"; }

}  // namespace

InstanceId make_instance_id(std::uint64_t random_bits) {
  std::string text = "vm-";
  for (int digit = 0; digit < 10; ++digit, random_bits >>= 5) text += crockford[random_bits & 31];
  return InstanceId(std::move(text));
}

Result<InstanceId> parse_instance_id(std::string_view text) {
  if (text.size() != 13 || text.substr(0, 3) != "vm-" || !made_of(text.substr(3), crockford))
    return Error(Errc::invalid, quoted(text) + " is not an instance id (vm- and 10 characters of base32)");
  return InstanceId(std::string(text));
}

Result<InstanceName> parse_instance_name(std::string_view text) {
  if (!is_name(text, instance_name_letters))
    return Error(Errc::invalid, quoted(text) + " is not an instance name: 1 to 63 of a-z 0-9 -, the first a letter or digit");
  return InstanceName(std::string(text));
}

Result<ServiceName> parse_service_name(std::string_view text) {
  if (!is_name(text, service_name_letters))
    return Error(Errc::invalid, quoted(text) + " is not a service name: 1 to 63 of a-z 0-9 . _ -, the first a letter or digit");
  return ServiceName(std::string(text));
}

Result<SigninSessionId> parse_signin_session_id(std::string_view text) {
  if (!is_name(text, instance_name_letters))
    return Error(Errc::invalid, quoted(text) + " is not a sign-in session's id: 1 to 63 of a-z 0-9 -, the first a letter or digit");
  return SigninSessionId(std::string(text));
}

Result<BootId> parse_boot_id(std::string_view text) {
  static constexpr std::string_view form = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  const auto fits = [](char have, char want) {
    return want == '-' ? have == '-' : made_of(std::string_view(&have, 1), "0123456789abcdef");
  };
  if (text.size() != form.size() || !std::equal(text.begin(), text.end(), form.begin(), fits))
    return Error(Errc::invalid, quoted(text) + " is not a boot id");
  return BootId(std::string(text));
}

}  // namespace vigil
