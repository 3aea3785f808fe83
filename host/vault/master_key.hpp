// The key above all keys of the vault: where it is, whether it may be trusted, and what is made of it.
//
// Shape:  the first of: the file that was named; `vigil-master-key` in $CREDENTIALS_DIRECTORY (systemd); `own`, made (0600) when `may_make` and it is not there.
//         What systemd gives is guarded by systemd's directory, whatever its mode. Any file of at least 32 bytes is a key. What seals is derived from it; its id is a digest of that and safe to show.
// Errors: Errc::denied for a file that others may read or own; Errc::invalid for one that is too short; those of the system; Errc::not_found when there is none and none may be made.
#pragma once

#include "host/vault/secret.hpp"
#include "shared/base/result.hpp"

#include <filesystem>
#include <string>

namespace vigil::vault {

struct MasterKey {
  std::string id;  // 16 hex digits
  Secret key;
  std::string source;  // its path
};

struct KeyPlaces {
  std::string named;  // --vault-key; empty: none
  std::string credentials;  // $CREDENTIALS_DIRECTORY; empty: none
  std::filesystem::path own;  // STATE/master.key
};

enum class MayMake { no, yes };
enum class Guarded { by_its_mode, by_its_directory };

Result<MasterKey> read_master_key(const std::filesystem::path& path, Guarded guarded = Guarded::by_its_mode);
Result<MasterKey> find_master_key(const KeyPlaces& places, MayMake may_make);

}  // namespace vigil::vault
