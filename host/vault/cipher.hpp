// AES-256-GCM, HMAC-SHA256 and SHA-256, by OpenSSL, as the vault uses them. Private to this folder.
//
// Errors: Errc::io: the bytes, their tag or what is bound to them were changed, or the key is another one; which of these, GCM does not tell.
// Source: NIST SP 800-38D (a random 96-bit nonce a seal; a key seals far less than 2^32 times).
#pragma once

#include "host/vault/secret.hpp"
#include "shared/base/result.hpp"

#include <string>
#include <string_view>

namespace vigil::vault {

inline constexpr std::size_t key_bytes = 32, nonce_bytes = 12, tag_bytes = 16;

Secret random_key();
std::string random_hex(std::size_t bytes);

/// nonce, tag, ciphertext.
std::string seal(const Secret& key, std::string_view bound, std::string_view plain);
Result<Secret> unseal(const Secret& key, std::string_view bound, std::string_view sealed);

/// In hex.
std::string hmac_sha256(const Secret& key, std::string_view text);
std::string sha256(std::string_view bytes);
/// Another key for another purpose.
Secret derive(std::string_view from, std::string_view purpose);

/// What is bound: each part with its length, so that no two lists read alike.
std::string bound_text(std::initializer_list<std::string_view> parts);

}  // namespace vigil::vault
