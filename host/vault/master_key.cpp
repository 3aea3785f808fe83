#include "host/vault/master_key.hpp"

#include "host/vault/cipher.hpp"
#include "shared/base/unique_fd.hpp"

#include <spdlog/spdlog.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace vigil::vault {

namespace {

constexpr std::size_t max_key_file_bytes = 4096;

Result<void> check_key_file(const std::string& path, const struct stat& status) {
  if (!S_ISREG(status.st_mode))
    return Error(Errc::denied, path + ": no regular file; the vault's key is a file of at least 32 random bytes");
  if (status.st_uid != 0 && status.st_uid != ::geteuid())
    return Error(Errc::denied,
                 path + ": belongs to uid " + std::to_string(status.st_uid) + ", who could change it; chown it to the daemon's user");
  if ((status.st_mode & 077) != 0) return Error(Errc::denied, path + ": others may read it; chmod 600 it");
  return {};
}

Result<Secret> key_file_content(const std::string& path, Guarded guarded) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return Error::from_errno("the vault's key " + path, errno);
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return Error::from_errno(path, errno);
  if (guarded == Guarded::by_its_mode) TRY_VOID(check_key_file(path, status));
  Secret content(max_key_file_bytes);
  const ssize_t got = ::read(file.get(), content.writable().data(), content.size());
  if (got < 0) return Error::from_errno("read " + path, errno);
  content.shrink(static_cast<std::size_t>(got));
  if (content.size() < key_bytes)
    return Error(Errc::invalid,
                 path + ": only " + std::to_string(content.size()) + " bytes; a key has at least 32 (head -c 32 /dev/urandom)");
  return content;
}

Result<void> make_key_file(const std::filesystem::path& path) {
  const auto draft = path.string() + ".new";
  const auto random = random_key();
  const UniqueFd file(::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return Error::from_errno("create " + draft, errno);
  const bool is_written = ::write(file.get(), random.view().data(), random.size()) == static_cast<ssize_t>(random.size());
  if (!is_written || ::fsync(file.get()) != 0 || ::rename(draft.c_str(), path.c_str()) != 0) {
    const int reason = errno;
    ::unlink(draft.c_str());
    return Error::from_errno("write " + path.string(), reason);
  }
  const UniqueFd folder(::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder) (void)::fsync(folder.get());
  spdlog::info("vault.key_created path={} advice=\"whoever has it and the vault has the credentials: keep a copy apart from the disk\"",
               path.string());
  return {};
}

}  // namespace

Result<MasterKey> read_master_key(const std::filesystem::path& path, Guarded guarded) {
  TRY(content, key_file_content(path.string(), guarded));
  MasterKey master;
  master.key = derive(content.view(), "vigil vault master key 1");
  master.id = sha256(master.key.view()).substr(0, 16);
  master.source = path.string();
  return master;
}

Result<MasterKey> find_master_key(const KeyPlaces& places, MayMake may_make) {
  if (!places.named.empty()) return read_master_key(places.named);
  std::error_code ignored;
  const auto credential = std::filesystem::path(places.credentials) / "vigil-master-key";
  if (!places.credentials.empty() && std::filesystem::exists(credential, ignored))
    return read_master_key(credential, Guarded::by_its_directory);
  if (!std::filesystem::exists(places.own, ignored)) {
    if (may_make == MayMake::no)
      return Error(Errc::not_found,
                   "the vault's key " + places.own.string() + " is not there: put the copy back, or name it with --vault-key");
    TRY_VOID(make_key_file(places.own));
  }
  return read_master_key(places.own);
}

}  // namespace vigil::vault
