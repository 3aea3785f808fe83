#include "host/access/token.hpp"

#include "host/images/sha256.hpp"

#include <sys/random.h>

#include <array>
#include <cstdlib>

namespace vigil::access {

namespace {

constexpr std::string_view token_prefix = "vgl_", id_digits = "0123456789abcdefghjkmnpqrstvwxyz", hex_digits = "0123456789abcdef";
constexpr std::size_t id_size = 10, secret_bytes = 32;

template <std::size_t size>
std::array<unsigned char, size> random_bytes() {
    std::array<unsigned char, size> bytes{};
    if (::getrandom(bytes.data(), size, 0) != static_cast<ssize_t>(size)) std::abort();
    return bytes;
}

}  // namespace

NewToken make_token() {
    NewToken token;
    for (const auto byte : random_bytes<id_size>()) token.id += id_digits[byte % id_digits.size()];
    token.text = std::string(token_prefix) + token.id + "_";
    for (const auto byte : random_bytes<secret_bytes>()) {
        token.text += hex_digits[byte >> 4];
        token.text += hex_digits[byte & 15];
    }
    token.sha256 = images::sha256_hex(token.text);
    return token;
}

std::optional<std::string> id_of_token(std::string_view text) {
    if (text.size() != token_prefix.size() + id_size + 1 + 2 * secret_bytes || !text.starts_with(token_prefix)) return std::nullopt;
    const auto id = text.substr(token_prefix.size(), id_size), secret = text.substr(token_prefix.size() + id_size + 1);
    const bool is_one = text[token_prefix.size() + id_size] == '_' && id.find_first_not_of(id_digits) == id.npos && images::is_lower_hex(secret);
    return is_one ? std::optional(std::string(id)) : std::nullopt;
}

bool fits(std::string_view text, std::string_view sha256) {
    const auto computed = images::sha256_hex(text);
    if (computed.size() != sha256.size()) return false;
    volatile unsigned char difference = 0;
    for (std::size_t i = 0; i < computed.size(); ++i) difference = static_cast<unsigned char>(difference | (computed[i] ^ sha256[i]));
    return difference == 0;
}

}  // namespace vigil::access
