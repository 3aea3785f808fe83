#include "host/daemon/kept_secrets.hpp"

#include "host/fault/fault_point.hpp"
#include "host/images/sha256.hpp"
#include "shared/base/unique_fd.hpp"
#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>
#include <openssl/evp.h>

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>

namespace vigil::daemon {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view seal_mark = "VS1";
constexpr std::size_t key_size = 32, nonce_size = 12, tag_size = 16, max_sealed_bytes = 64 << 20;
using Key = std::array<unsigned char, key_size>;
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

std::string random_text(std::size_t size) {
    std::string bytes(size, '\0');
    if (::getrandom(bytes.data(), size, 0) != static_cast<ssize_t>(size)) std::abort();
    return bytes;
}

std::string whole_file(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

Result<void> write_private(const fs::path& path, std::string_view bytes) {
    const auto draft = path.string() + ".new";
    const UniqueFd file(::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!file) return Error::from_errno("create " + draft, errno);
    const bool is_full = ::write(file.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size());
    if (is_full || ::fsync(file.get()) != 0 || ::rename(draft.c_str(), path.c_str()) != 0) {
        const int reason = errno;
        ::unlink(draft.c_str());
        return reason == ENOSPC ? Error(Errc::limit, "host.disk_full: " + path.string()) : Error::from_errno("write " + path.string(), reason);
    }
    return {};
}

/// Any text of a credential becomes a key by its hash.
Key key_of(std::string_view text) {
    const auto hex = images::sha256_hex(text);
    Key key{};
    for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<unsigned char>(std::stoul(hex.substr(2 * i, 2), nullptr, 16));
    return key;
}

Result<Key> master_key(const Places& places) {
    if (const char* const credentials = std::getenv("CREDENTIALS_DIRECTORY"); credentials != nullptr && *credentials != '\0') {
        const auto given = whole_file(fs::path(credentials) / "vigil-master-key");
        if (!given.empty()) return key_of(given);
    }
    const auto path = places.state / "master.key";
    std::error_code failure;
    if (!fs::exists(path, failure)) TRY_VOID(write_private(path, random_text(key_size)));
    const auto kept = whole_file(path);
    if (kept.size() < key_size) return Error(Errc::io, path.string() + ": no key in it; put a copy back, without it kept secrets cannot be read");
    return key_of(kept);
}

Result<std::string> seal(const Key& key, const std::string& about, const std::string& text) {
    auto nonce = random_text(nonce_size);
    std::string sealed(text.size(), '\0'), tag(tag_size, '\0');
    int size = 0, rest = 0;
    const Cipher cipher(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
    const bool done = cipher && EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key.data(), bytes_of(nonce)) == 1 &&
                      EVP_EncryptUpdate(cipher.get(), nullptr, &size, bytes_of(std::string_view(about)), static_cast<int>(about.size())) == 1 &&
                      EVP_EncryptUpdate(cipher.get(), bytes_of(sealed), &size, bytes_of(std::string_view(text)), static_cast<int>(text.size())) == 1 &&
                      EVP_EncryptFinal_ex(cipher.get(), bytes_of(sealed) + size, &rest) == 1 &&
                      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, static_cast<int>(tag_size), tag.data()) == 1;
    if (!done) return Error(Errc::internal, "AES-256-GCM failed");
    return std::string(seal_mark) + nonce + tag + sealed;
}

Result<std::string> unseal(const Key& key, const std::string& about, std::string_view sealed) {
    const Error wrong(Errc::io, "damaged, or sealed under another key");
    if (!sealed.starts_with(seal_mark) || sealed.size() < seal_mark.size() + nonce_size + tag_size) return wrong;
    sealed.remove_prefix(seal_mark.size());
    const std::string nonce(sealed.substr(0, nonce_size));
    std::string tag(sealed.substr(nonce_size, tag_size));
    sealed.remove_prefix(nonce_size + tag_size);
    std::string text(sealed.size(), '\0');
    int size = 0, rest = 0;
    const Cipher cipher(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
    const bool done = cipher && EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key.data(), bytes_of(std::string_view(nonce))) == 1 &&
                      EVP_DecryptUpdate(cipher.get(), nullptr, &size, bytes_of(std::string_view(about)), static_cast<int>(about.size())) == 1 &&
                      EVP_DecryptUpdate(cipher.get(), bytes_of(text), &size, bytes_of(sealed), static_cast<int>(sealed.size())) == 1 &&
                      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, static_cast<int>(tag_size), tag.data()) == 1 &&
                      EVP_DecryptFinal_ex(cipher.get(), bytes_of(text) + size, &rest) == 1;
    if (!done) return wrong;
    return text;
}

fs::path sealed_path(const Places& places, const InstanceId& id) { return places.instance(id) / "secrets.sealed"; }
std::string bound_to(const InstanceId& id) { return "vigil secrets of " + id.value(); }

}  // namespace

Result<void> keep_secrets(const Places& places, const InstanceId& id, const Secrets& secrets) {
    if (secrets.empty()) return {};
    const fault::Around around(fault::Step::keep_secrets);
    TRY(key, master_key(places));
    TRY(sealed, seal(key, bound_to(id), dump_json(nlohmann::json(secrets))));
    return write_private(sealed_path(places, id), sealed);
}

Result<Secrets> read_kept_secrets(const Places& places, const InstanceId& id) {
    const auto path = sealed_path(places, id);
    std::error_code failure;
    const auto size = fs::file_size(path, failure);
    if (failure == std::errc::no_such_file_or_directory) return Secrets();
    if (failure || size > max_sealed_bytes) return Error(Errc::io, path.string() + ": cannot be read");
    TRY(key, master_key(places));
    const auto text = unseal(key, bound_to(id), whole_file(path));
    if (!text) return text.error().with_context(path.string());
    TRY(document, parse_json(*text, {.max_bytes = max_sealed_bytes, .max_depth = 4, .max_values = 10'000}));
    Secrets secrets;
    for (const auto& [name, value] : document.items())
        if (value.is_string()) secrets[name] = value.get<std::string>();
    return secrets;
}

}  // namespace vigil::daemon
