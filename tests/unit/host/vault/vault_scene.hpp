// A vault in a directory that goes with the test, and a clock that stands still.
#pragma once

#include "host/vault/vault.hpp"
#include "tests/unit/host/store/scratch.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace vigil::test {

class StillClock final : public Clock {
public:
  MonoUs mono_us() const override { return now; }
  UnixUs unix_us() const override { return now; }
  UnixUs now = 1'700'000'000'000'000;
};

inline void write_file(const std::string& path, const std::string& bytes, unsigned mode = 0600) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  ::chmod(path.c_str(), mode);
}

inline std::string read_all(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::string reason_of(const Result<void>& result) { return result ? "" : result.error().message(); }

struct VaultScene {
  Scratch scratch;
  StillClock clock;
  const vault::EntryKey alice{"", "alice", "codex"}, bob{"", "bob", "codex"};

  vault::VaultPlaces places(const std::string& named = "", const std::string& old = "") const {
    return {scratch / "vault.db", {named, "", scratch / "master.key"}, old};
  }
  Result<vault::Entry> put(vault::Vault& vault, const vault::EntryKey& of, const std::string& text) {
    return vault.put(of, vault::Secret::copy_of(text), {"a,b", "s-1"}, "uid 0");
  }
  std::string file() const { return scratch / "vault.db"; }
};

}  // namespace vigil::test
