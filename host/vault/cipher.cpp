#include "host/vault/cipher.hpp"

#include "shared/base/hex.hpp"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <cstdlib>
#include <memory>

namespace vigil::vault {

namespace {

using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

const unsigned char* as_bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* as_bytes(char* text) { return reinterpret_cast<unsigned char*>(text); }
int length_of(std::string_view text) { return static_cast<int>(text.size()); }

void fill_random(char* bytes, std::size_t size) {
  if (RAND_bytes(as_bytes(bytes), static_cast<int>(size)) != 1) std::abort();   // without randomness nothing may go on
}

void hmac_into(char* out, std::string_view key, std::string_view text) {
  std::size_t size = 0;
  const auto* made = EVP_Q_mac(nullptr, "HMAC", nullptr, "SHA256", nullptr, key.data(), key.size(), as_bytes(text), text.size(),
                               as_bytes(out), key_bytes, &size);
  if (made == nullptr || size != key_bytes) std::abort();
}

}  // namespace

Secret random_key() {
  Secret key(key_bytes);
  fill_random(key.writable().data(), key_bytes);
  return key;
}

std::string random_hex(std::size_t bytes) {
  std::string random(bytes, '\0');
  fill_random(random.data(), bytes);
  return to_hex(random);
}

std::string seal(const Secret& key, std::string_view bound, std::string_view plain) {
  std::string sealed(nonce_bytes + tag_bytes + plain.size(), '\0');
  fill_random(sealed.data(), nonce_bytes);
  char* const tag = sealed.data() + nonce_bytes;
  char* const body = tag + tag_bytes;
  int size = 0, rest = 0;
  const CipherContext cipher(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
  const bool done = cipher && key.size() == key_bytes &&
                    EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, as_bytes(key.view()), as_bytes(sealed.data())) == 1 &&
                    EVP_EncryptUpdate(cipher.get(), nullptr, &size, as_bytes(bound), length_of(bound)) == 1 &&
                    EVP_EncryptUpdate(cipher.get(), as_bytes(body), &size, as_bytes(plain), length_of(plain)) == 1 &&
                    EVP_EncryptFinal_ex(cipher.get(), as_bytes(body) + size, &rest) == 1 &&
                    EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, static_cast<int>(tag_bytes), tag) == 1;
  if (!done) std::abort();   // only out of memory
  return sealed;
}

Result<Secret> unseal(const Secret& key, std::string_view bound, std::string_view sealed) {
  const Error wrong(Errc::io, "it was changed or cut, or is sealed under another key");
  if (sealed.size() < nonce_bytes + tag_bytes || key.size() != key_bytes) return wrong;
  std::string tag(sealed.substr(nonce_bytes, tag_bytes));
  const auto body = sealed.substr(nonce_bytes + tag_bytes);
  Secret plain(body.size() + 1);   // never without memory of its own
  int size = 0, rest = 0;
  const CipherContext cipher(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
  char* const out = plain.writable().data();
  const bool done = cipher && EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, as_bytes(key.view()), as_bytes(sealed)) == 1 &&
                    EVP_DecryptUpdate(cipher.get(), nullptr, &size, as_bytes(bound), length_of(bound)) == 1 &&
                    EVP_DecryptUpdate(cipher.get(), as_bytes(out), &size, as_bytes(body), length_of(body)) == 1 &&
                    EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, static_cast<int>(tag_bytes), tag.data()) == 1 &&
                    EVP_DecryptFinal_ex(cipher.get(), as_bytes(out) + size, &rest) == 1;
  if (!done) return wrong;
  plain.shrink(body.size());
  return plain;
}

std::string hmac_sha256(const Secret& key, std::string_view text) {
  char mac[key_bytes];
  hmac_into(mac, key.view(), text);
  return to_hex({mac, sizeof mac});
}

std::string sha256(std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr) != 1) std::abort();
  std::string text(reinterpret_cast<const char*>(digest), size);
  return to_hex(text);
}

Secret derive(std::string_view from, std::string_view purpose) {
  Secret key(key_bytes);
  hmac_into(key.writable().data(), from, purpose);
  return key;
}

std::string bound_text(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const auto part : parts) text += std::to_string(part.size()) + ":" + std::string(part) + ",";
  return text;
}

}  // namespace vigil::vault
