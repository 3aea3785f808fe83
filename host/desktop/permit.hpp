// A text that proves that we gave it: for one VM, one purpose, until a time. Tickets and cookies are permits of different keys.
//
// Shape:  EXPIRES "." NONCE "." MAC: seconds since 1970 in decimal, 32 hex digits of randomness, HMAC-SHA-256 over all of it, the purpose and the VM.
//         Nothing is kept of it here: who has the key can tell.
// Errors: what is not of that form, or of another key, VM or purpose, is `forged`; that is found out in the same time whatever differs.
#pragma once

#include "shared/base/ids.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace vigil::desktop {

inline constexpr std::size_t key_bytes = 32, nonce_digits = 32;

enum class Purpose { ticket, cookie };

struct PermitScope {
  Purpose purpose = Purpose::ticket;
  InstanceId vm;
};

std::string make_permit(const std::string& key, const PermitScope& scope, std::uint64_t expires_unix_s);

struct PermitLook {
  enum class Found { good, expired, forged };
  Found found = Found::forged;
  std::string nonce;  // of one that is not forged
  std::uint64_t expires_unix_s = 0;
};
PermitLook look_at_permit(const std::string& key, const PermitScope& scope, std::string_view permit, std::uint64_t now_unix_s);

/// 32 bytes of the system's randomness.
std::string random_key();

}  // namespace vigil::desktop
