#include "guest/upgrade/trial.hpp"

#include "guest/upgrade/memory_file.hpp"
#include "guest/upgrade/upgrade.hpp"
#include "shared/signin/sha256.hpp"
#include "tests/unit/guest/process/scene.hpp"

#include <fstream>
#include <sstream>

namespace vigil::guest::upgrade {
namespace {

using namespace std::chrono_literals;

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

/// What becomes of an upgrade to `program`; each of these is refused.
std::string refusal(const std::string& program, std::string sha256 = {}) {
  ProcessScene scene;
  if (sha256.empty()) sha256 = signin::sha256_hex(contents(program));
  Upgrade upgrade({scene.loop, scene.launcher, scene.reaper, 1, [] { return Result<KeptAgent>(KeptAgent{}); }});
  std::string said;
  upgrade.begin(1, program, sha256, [&](const Error& error) { said = error.message(); });
  REQUIRE(run_until(scene.loop, [&] { return !said.empty(); }));
  return said;
}

TEST_CASE("upgrade: another hash than the host's is refused before anything runs", "[guest][upgrade]") {
  CHECK(refusal("/bin/true", std::string(64, '0')).find("has the SHA-256 " + signin::sha256_hex(contents("/bin/true")) + ", not 0000") !=
        std::string::npos);
}

TEST_CASE("upgrade: what is no file is refused", "[guest][upgrade]") {
  CHECK(refusal("/no/such/agent", std::string(64, '0')).find("/no/such/agent") != std::string::npos);
  CHECK(refusal("/tmp", std::string(64, '0')) == "/tmp is not a file");
}

TEST_CASE("upgrade: what cannot be executed is refused", "[guest][upgrade]") {
  TestDirectory directory;
  CHECK(refusal(directory.write("agent", "no program at all")).find("the new agent cannot be executed: ") == 0);
}

TEST_CASE("upgrade: one that does not pass its trial is refused in its own words", "[guest][upgrade]") {
  CHECK(refusal("/bin/false") == "the new agent was tried and ended with code 1");
  CHECK(refusal("/bin/true") == "the new agent was tried and ended with code 0");      // an end is not enough
  const std::string said = refusal("/bin/cat");                                        // "upgrade-trial: No such file or directory"
  CHECK(said.find("the new agent was tried and ended with code 1: ") == 0);
}

TEST_CASE("upgrade: one that does not end is killed and refused", "[guest][upgrade]") {
  ProcessScene scene;
  auto program = take_program("/usr/bin/yes", signin::sha256_hex(contents("/usr/bin/yes")));
  REQUIRE(program.has_value());
  UniqueFd state;
  REQUIRE(put_state(state, "nothing").has_value());
  Trial trial(scene.loop, scene.launcher, scene.reaper);
  std::string said;
  trial.start(program->get(), state.get(), 200ms,
              [&](const Result<std::string>& result) { said = result.has_error() ? result.error().message() : "passed"; });
  REQUIRE(run_until(scene.loop, [&] { return !said.empty(); }));
  CHECK(said.find("the new agent was tried and did not end in time") == 0);
}

TEST_CASE("upgrade: what stands in the way is waited for, and then told", "[guest][upgrade]") {
  ProcessScene scene;
  int asked = 0;
  Upgrade upgrade({scene.loop, scene.launcher, scene.reaper, 1, [&]() -> Result<KeptAgent> {
                     if (++asked < 3) return Error(Errc::conflict, "a crash is being looked at");
                     return KeptAgent{};
                   }});
  std::string said, second;
  const auto hash = signin::sha256_hex(contents("/bin/false"));
  upgrade.begin(1, "/bin/false", hash, [&](const Error& error) { said = error.message(); });
  upgrade.begin(2, "/bin/false", hash, [&](const Error& error) { second = error.message(); });
  CHECK(second == "an upgrade is under way already");
  REQUIRE(run_until(scene.loop, [&] { return !said.empty(); }));
  CHECK(asked == 3);
  CHECK(said.find("ended with code 1") != std::string::npos);
}

TEST_CASE("upgrade: the state in memory is what was put there last", "[guest][upgrade]") {
  UniqueFd state;
  REQUIRE(put_state(state, std::string(100'000, 'x')).has_value());
  REQUIRE(put_state(state, "short").has_value());
  CHECK(*read_state(state.get()) == "short");
}

}  // namespace
}  // namespace vigil::guest::upgrade
