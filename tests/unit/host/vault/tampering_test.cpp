#include "host/store/database.hpp"
#include "tests/unit/host/result_text.hpp"
#include "tests/unit/host/vault/vault_scene.hpp"

#include <catch2/catch_test_macros.hpp>

#include <random>

namespace vigil::vault {
using namespace vigil::test;

using vault::Vault;

namespace {

/// Two credentials and some log, everything in the one file.
std::string made_vault(VaultScene& scene) {
  {
    Vault vault(scene.places(), scene.clock);
    REQUIRE(scene.put(vault, scene.alice, "of alice"));
    REQUIRE(scene.put(vault, scene.bob, "of bob"));
    REQUIRE(vault.note_check(scene.alice, {true, 7, "said so"}));
    REQUIRE(vault.rotate("me"));   // empties the write-ahead log
  }
  return read_all(scene.file());
}

void put_back(const VaultScene& scene, const std::string& bytes) {
  for (const auto* suffix : {"-wal", "-shm"}) std::filesystem::remove(scene.file() + suffix);
  write_file(scene.file(), bytes);
}

/// What a reader sees, or the reason why he sees nothing.
std::string seen(VaultScene& scene) {
  Vault vault(scene.places(), scene.clock);
  if (const auto opened = vault.open(); !opened) return "refused: " + opened.error().message();
  std::string all;
  for (const auto& entry : *vault.list()) {
    const auto secret = vault.reveal(entry.of, "reveal", "me");
    all += entry.of.user + " " + entry.of.provider + " " + std::to_string(entry.version) + " " + entry.shape + " " +
           (secret ? std::string(secret->view()) : "-") + (entry.check ? " " + entry.check->how : "") + "\n";
  }
  return all;
}

void change(const VaultScene& scene, const char* sql) {
  auto database = store::Database::open(scene.file(), store::OpenMode::existing);
  REQUIRE(database);
  REQUIRE(database->run(sql));
}

constexpr char untouched[] = "alice codex 1 a,b of alice said so\nbob codex 1 a,b of bob\n";

}  // namespace

TEST_CASE("vault: a file that was cut is refused, wherever", "[host][vault]") {
  VaultScene scene;
  const auto whole = made_vault(scene);
  put_back(scene, whole);
  REQUIRE(seen(scene) == untouched);
  for (std::size_t size = 0; size < whole.size(); size += 1021) {
    put_back(scene, whole.substr(0, size));
    INFO("cut to " << size << " of " << whole.size());
    CHECK(seen(scene).starts_with("refused: "));
  }
}

TEST_CASE("vault: a flipped bit is refused or changes nothing that is seen", "[host][vault]") {
  VaultScene scene;
  const auto whole = made_vault(scene);
  std::mt19937 random(20261127);
  int refused = 0;
  for (int i = 0; i < 150; ++i) {
    auto bytes = whole;
    const auto at = random() % bytes.size();
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
    put_back(scene, bytes);
    const auto answer = seen(scene);
    INFO("bit of byte " << at << ": " << answer);
    if (answer.starts_with("refused: "))
      ++refused;
    else
      CHECK(answer == untouched);
  }
  CHECK(refused > 8);   // much of a page is free
}

TEST_CASE("vault: a change with SQL is refused with the reason", "[host][vault]") {
  VaultScene scene;
  const auto whole = made_vault(scene);
  const auto after = [&](const char* sql) {
    put_back(scene, whole);
    change(scene, sql);
    return seen(scene);
  };
  const std::string of_alice = "the credential alice/codex";
  CHECK(after("UPDATE credentials SET version = 9 WHERE user = 'alice'").find(of_alice) != std::string::npos);
  CHECK(after("UPDATE credentials SET shape = 'x' WHERE user = 'alice'").find(of_alice) != std::string::npos);
  CHECK(after("UPDATE credentials SET checked = '1 7 forged' WHERE user = 'alice'").find("validity of alice/codex") != std::string::npos);
  // One user's credential in another's place, each sealed by us.
  CHECK(after("UPDATE credentials SET sealed = (SELECT sealed FROM credentials WHERE user = 'bob') WHERE user = 'alice'").find(of_alice) !=
        std::string::npos);
  CHECK(after("UPDATE credentials SET user = 'carol' WHERE user = 'bob'").find("carol/codex") != std::string::npos);
  CHECK(after("UPDATE audit SET outcome = 'denied' WHERE seq = 2").find("audit log was changed at row 2") != std::string::npos);
  CHECK(after("DELETE FROM audit WHERE seq = 2").find("audit log was changed at row 3") != std::string::npos);
  CHECK(after("DELETE FROM audit WHERE seq = 3").find("lacks rows behind 2") != std::string::npos);
  CHECK(after("DELETE FROM keys").find("not the key") != std::string::npos);
  CHECK(after("UPDATE keys SET sealed = 'AAAA'").starts_with("refused: "));
  CHECK(after("PRAGMA application_id=1").find("no vault of ours") != std::string::npos);
  CHECK(after("PRAGMA user_version=2").find("another version") != std::string::npos);
  CHECK(after("SELECT 1") == untouched);
}

}  // namespace vigil::vault
