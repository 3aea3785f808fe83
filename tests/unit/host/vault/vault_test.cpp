#include "tests/unit/host/result_text.hpp"
#include "tests/unit/host/vault/vault_scene.hpp"

#include <catch2/catch_test_macros.hpp>

namespace vigil::vault {
using namespace vigil::test;

using vault::Secret;
using vault::Vault;

namespace {

/// Every file of the vault's directory, joined.
std::string everything_in(const Scratch& scratch) {
  std::string all;
  for (const auto& entry : std::filesystem::directory_iterator(scratch / "")) all += read_all(entry.path().string());
  return all;
}

unsigned mode_of(const std::string& path) { return static_cast<unsigned>(std::filesystem::status(path).permissions()); }

}  // namespace

TEST_CASE("vault: gives back what was put in, to a later daemon too", "[host][vault]") {
  VaultScene scene;
  {
    Vault vault(scene.places(), scene.clock);
    CHECK(vault.list()->empty());
    CHECK_FALSE(std::filesystem::exists(scene.file()));   // looking makes nothing
    CHECK(vault.reveal(scene.alice, "reveal", "me").error().code() == Errc::not_found);
    REQUIRE(scene.put(vault, scene.alice, "first"));
    const auto second = scene.put(vault, scene.alice, "second");
    REQUIRE(second);
    CHECK(second->version == 2);
    CHECK(second->sha256 == "16367aacb67a4a017c8da8ab95682ccb390863780f7114dda0a0e0c55644c7c4");
    CHECK(mode_of(scene.file()) == 0600);
    CHECK(mode_of(scene.scratch / "master.key") == 0600);
  }
  Vault later(scene.places(), scene.clock);
  REQUIRE(later.open());
  const auto revealed = later.reveal(scene.alice, "reveal", "me");
  REQUIRE(revealed);
  CHECK(revealed->view() == "second");
  CHECK(later.list()->size() == 1);
  REQUIRE(later.remove(scene.alice, "me"));
  CHECK(later.list()->empty());
  CHECK(later.remove(scene.alice, "me").error().code() == Errc::not_found);
}

TEST_CASE("vault: a credential is in no file of it, before and after a rotation", "[host][vault]") {
  VaultScene scene;
  const std::string canary = "canary-7f3a9c51d2e84b06-canary";
  Vault vault(scene.places(), scene.clock);
  REQUIRE(scene.put(vault, scene.alice, "{\"token\":\"" + canary + "\"}"));
  CHECK(everything_in(scene.scratch).find(canary) == std::string::npos);
  CHECK(everything_in(scene.scratch).find("alice") != std::string::npos);   // the search sees what is in the open
  REQUIRE(vault.rotate("me"));
  REQUIRE(vault.remove(scene.alice, "me"));
  CHECK(everything_in(scene.scratch).find(canary) == std::string::npos);
}

TEST_CASE("vault: a rotation seals everything under a new key and forgets the old one", "[host][vault]") {
  VaultScene scene;
  Vault vault(scene.places(), scene.clock);
  CHECK(vault.rotate("me").error().code() == Errc::not_found);
  REQUIRE(scene.put(vault, scene.alice, "of alice"));
  REQUIRE(scene.put(vault, scene.bob, "of bob"));
  const auto rotated = vault.rotate("me");
  REQUIRE(rotated);
  CHECK(rotated->credentials == 2);
  CHECK(rotated->before != rotated->now);
  for (const auto& entry : *vault.list()) CHECK(entry.key == rotated->now);
  CHECK(vault.list()->front().version == 1);   // it is the same credential
  CHECK(vault.reveal(scene.bob, "reveal", "me")->view() == "of bob");
  CHECK(everything_in(scene.scratch).find(rotated->before) == std::string::npos);
  Vault later(scene.places(), scene.clock);
  REQUIRE(later.open());
  CHECK(later.reveal(scene.alice, "reveal", "me")->view() == "of alice");
}

TEST_CASE("vault: another master key is refused, and takes over when the old one is named", "[host][vault]") {
  VaultScene scene;
  const auto old_key = scene.scratch / "old.key", new_key = scene.scratch / "new.key";
  write_file(old_key, std::string(32, 'o'));
  write_file(new_key, std::string(40, 'n'));
  {
    Vault vault(scene.places(old_key), scene.clock);
    REQUIRE(scene.put(vault, scene.alice, "kept"));
  }
  {
    Vault wrong(scene.places(new_key), scene.clock);
    CHECK(reason_of(wrong.open()).find("--vault-old-key") != std::string::npos);
    CHECK_FALSE(scene.put(wrong, scene.alice, "overwritten"));
  }
  {
    Vault changed(scene.places(new_key, old_key), scene.clock);
    REQUIRE(changed.open());
    CHECK(changed.audit()->front().action == "rekey");
  }
  Vault later(scene.places(new_key), scene.clock);
  REQUIRE(later.open());
  CHECK(later.reveal(scene.alice, "reveal", "me")->view() == "kept");
  CHECK_FALSE(Vault(scene.places(old_key), scene.clock).open());
}

TEST_CASE("vault: a key file that others may read, that is short, or that is gone, is refused", "[host][vault]") {
  VaultScene scene;
  const auto key = scene.scratch / "k";
  const auto refused = [&] {
    Vault vault(scene.places(key), scene.clock);
    const auto put = scene.put(vault, scene.alice, "x");
    return put ? std::string() : put.error().message();
  };
  CHECK(refused().find("No such file") != std::string::npos);
  write_file(key, std::string(32, 'k'), 0640);
  CHECK(refused().find("chmod 600") != std::string::npos);
  write_file(key, std::string(31, 'k'));
  CHECK(refused().find("only 31 bytes") != std::string::npos);
  std::filesystem::remove(key);
  std::filesystem::create_symlink("/dev/zero", key);
  CHECK_FALSE(refused().empty());
  CHECK_FALSE(std::filesystem::exists(scene.file()));
  std::filesystem::remove(key);
  write_file(key, std::string(32, 'k'));
  CHECK(refused().empty());
}

TEST_CASE("vault: when its own key is lost, no other one is made in its place", "[host][vault]") {
  VaultScene scene;
  {
    Vault vault(scene.places(), scene.clock);
    REQUIRE(scene.put(vault, scene.alice, "x"));
  }
  std::filesystem::remove(scene.scratch / "master.key");
  Vault later(scene.places(), scene.clock);
  CHECK(reason_of(later.open()).find("put the copy back") != std::string::npos);
  CHECK_FALSE(scene.put(later, scene.bob, "y"));
  CHECK_FALSE(std::filesystem::exists(scene.scratch / "master.key"));
}

TEST_CASE("vault: the key that systemd gives is taken whatever its mode", "[host][vault]") {
  VaultScene scene;
  std::filesystem::create_directory(scene.scratch / "credentials");
  write_file(scene.scratch / "credentials/vigil-master-key", std::string(64, 's'), 0440);
  auto places = scene.places();
  places.keys.credentials = scene.scratch / "credentials";
  Vault vault(places, scene.clock);
  REQUIRE(scene.put(vault, scene.alice, "x"));
  CHECK_FALSE(std::filesystem::exists(scene.scratch / "master.key"));
}

TEST_CASE("vault: every access is in its log, refused ones too, and nothing of the credential", "[host][vault]") {
  VaultScene scene;
  Vault vault(scene.places(), scene.clock);
  REQUIRE(scene.put(vault, scene.alice, "x"));
  scene.clock.now += 5;
  (void)vault.reveal(scene.alice, "deliver", "session s-1");
  (void)vault.reveal(scene.bob, "reveal", "mallory");
  REQUIRE(vault.note_refusal(scene.alice, "reveal", "mallory", "denied"));
  const auto log = *vault.audit();
  REQUIRE(log.size() == 4);
  const auto line = [&](std::size_t i) { return log[i].actor + " " + log[i].action + " " + log[i].of.user + " " + log[i].outcome; };
  CHECK(line(0) == "mallory reveal alice denied");
  CHECK(line(1) == "mallory reveal bob not_found");
  CHECK(line(2) == "session s-1 deliver alice ok");
  CHECK(line(3) == "uid 0 store alice ok");
  CHECK(log[2].at_unix_us == scene.clock.now);
  CHECK(vault.audit(1)->size() == 1);
}

TEST_CASE("vault: who is refused again and again is told once a minute, and pushes nothing out of the log", "[host][vault]") {
  VaultScene scene;
  Vault vault(scene.places(), scene.clock);
  REQUIRE(scene.put(vault, scene.alice, "x"));
  for (int i = 0; i < 1000; ++i) REQUIRE(vault.note_refusal(scene.alice, "reveal", "mallory", "denied"));
  REQUIRE(vault.note_refusal(scene.alice, "reveal", "eve", "denied"));
  CHECK(vault.audit()->size() == 3);
  scene.clock.now += 61'000'000;
  REQUIRE(vault.note_refusal(scene.alice, "reveal", "mallory", "denied"));
  const auto log = *vault.audit();
  REQUIRE(log.size() == 4);
  CHECK(log[0].outcome == "denied, and 999 times before");
  CHECK(log[1].actor == "eve");
}

TEST_CASE("vault: keeps what the provider's tool said of a credential, until the next one", "[host][vault]") {
  VaultScene scene;
  Vault vault(scene.places(), scene.clock);
  REQUIRE(scene.put(vault, scene.alice, "x"));
  CHECK_FALSE(vault.find(scene.alice)->value().check);
  const vault::Check check{true, 17, "codex login status: exit 0"};
  REQUIRE(vault.note_check(scene.alice, check));
  CHECK(vault.find(scene.alice)->value().check == check);
  REQUIRE(scene.put(vault, scene.alice, "y"));
  CHECK_FALSE(vault.find(scene.alice)->value().check);
}

TEST_CASE("vault: refuses what is no credential by its size", "[host][vault]") {
  VaultScene scene;
  Vault vault(scene.places(), scene.clock);
  CHECK(scene.put(vault, scene.alice, "").error().code() == Errc::invalid);
  CHECK(scene.put(vault, scene.alice, std::string(vault::max_credential_bytes + 1, 'x')).error().code() == Errc::limit);
  CHECK_FALSE(std::filesystem::exists(scene.file()));
  CHECK(scene.put(vault, scene.alice, std::string(vault::max_credential_bytes, 'x')));
}

TEST_CASE("secret: is zeroed where it was taken from, and moves without a copy", "[host][vault]") {
  std::string text = "a text that is longer than what a string keeps inside itself";
  const char* const place = text.data();
  const auto size = text.size();
  Secret secret = Secret::take_from(text);
  CHECK(text.empty());
  CHECK(std::string(place, size) == std::string(size, '\0'));
  const char* const bytes = secret.view().data();
  Secret moved = std::move(secret);
  CHECK(moved.view().data() == bytes);
  moved.shrink(6);
  CHECK(moved.view() == "a text");
  CHECK(std::string(bytes + 6, size - 6) == std::string(size - 6, '\0'));
}

}  // namespace vigil::vault
