#include "host/desktop/permit.hpp"

#include "shared/base/hex.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <sys/random.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

namespace vigil::desktop {

namespace {

constexpr std::size_t max_expiry_digits = 12, mac_digits = 64;

std::string random_text(std::size_t bytes) {
  std::string text(bytes, '\0');
  if (::getrandom(text.data(), bytes, 0) != static_cast<ssize_t>(bytes)) std::abort();   // without randomness nothing may go on
  return text;
}

bool is_hex(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

/// `head`: the permit without its MAC.
std::string mac_of(const std::string& key, const PermitScope& scope, std::string_view head) {
  const std::string purpose = scope.purpose == Purpose::ticket ? "ticket" : "cookie";
  const std::string text = "vigil desktop 1\n" + purpose + "\n" + scope.vm.value() + "\n" + std::string(head);
  unsigned char mac[EVP_MAX_MD_SIZE];
  std::size_t size = 0;
  const auto* const made = EVP_Q_mac(nullptr, "HMAC", nullptr, "SHA256", nullptr, key.data(), key.size(),
                                     reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac, sizeof mac, &size);
  if (made == nullptr) std::abort();
  return to_hex({reinterpret_cast<const char*>(mac), size});
}

}  // namespace

std::string random_key() { return random_text(key_bytes); }

std::string make_permit(const std::string& key, const PermitScope& scope, std::uint64_t expires_unix_s) {
  const std::string head = std::to_string(expires_unix_s) + "." + to_hex(random_text(nonce_digits / 2));
  return head + "." + mac_of(key, scope, head);
}

PermitLook look_at_permit(const std::string& key, const PermitScope& scope, std::string_view permit, std::uint64_t now_unix_s) {
  const auto first = permit.find('.');
  if (first == permit.npos || first == 0 || first > max_expiry_digits) return {};
  if (permit.size() != first + 1 + nonce_digits + 1 + mac_digits || permit[first + 1 + nonce_digits] != '.') return {};
  const auto head = permit.substr(0, first + 1 + nonce_digits), nonce = permit.substr(first + 1, nonce_digits);
  const auto mac = permit.substr(permit.size() - mac_digits);
  std::uint64_t expires = 0;
  const auto [end, failure] = std::from_chars(permit.data(), permit.data() + first, expires);
  if (failure != std::errc() || end != permit.data() + first || !is_hex(nonce)) return {};
  const auto right = mac_of(key, scope, head);
  if (CRYPTO_memcmp(right.data(), mac.data(), mac_digits) != 0) return {};
  const auto found = now_unix_s < expires ? PermitLook::Found::good : PermitLook::Found::expired;
  return {found, std::string(nonce), expires};
}

}  // namespace vigil::desktop
