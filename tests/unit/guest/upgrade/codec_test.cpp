#include "guest/upgrade/codec.hpp"

#include "guest/upgrade/archive.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>

namespace vigil::guest::upgrade {
namespace {

supervisor::KeptService service_with_a_process() {
  supervisor::KeptService service;
  service.name = "web";
  service.state = protocol::ServiceState::unready;
  service.since_us = 11;
  service.ready_since_us = 12;
  service.cause = protocol::make_cause(protocol::CauseCode::service_unhealthy, {{"probe", "tcp:80"}}, {"refused"});
  service.waits_for = {"db"};
  service.last_probes = {{"tcp:80", true, 5}};
  service.restarts = 3;
  service.launched_before = true;
  service.backoff = std::chrono::milliseconds(250);
  service.policy = {{{7, protocol::make_cause(protocol::CauseCode::service_exited, {{"code", 1}})}}, 2};
  service.cgroup = {"web+2", 2, false};
  supervisor::KeptRun run;
  run.pid = 31;
  run.out_fd = 20;
  run.err_fd = -1;
  run.probes = {{{"notify-fd", false, std::nullopt}, {21, 1000}}};
  run.health = supervisor::KeptHealth{supervisor::Health::unhealthy, 3, *service.cause};
  service.run = run;
  return service;
}

KeptAgent sample() {
  KeptAgent kept;
  kept.request = 77;
  kept.from_build = "aa";
  kept.to_build = "bb";
  kept.boot = "11111111-0000-4000-8000-000000000001";
  kept.line.life = 1;
  kept.line.outbox = {9, 8, 8, {}};
  kept.line.link_fd = 12;
  kept.line.link_welcomed = true;
  kept.line.link_unread = std::string("\0\1", 2);
  kept.cgroup_root = "/sys/fs/cgroup";
  kept.problems = {"mount: busy"};
  kept.was_ready = true;
  kept.supervisor = {{service_with_a_process(), {}}, {"db"}, 4, true, false};
  kept.supervisor.services[1].name = "idle";
  kept.logs["web"] = {{1, 6, "hello", {{1, 2}}}, {}};
  streams::KeptExec exec;
  exec.id = "ex-0123456789ab";
  exec.pid = 40;
  exec.outputs = {{vigil::streams::Channel::out, 22, "kept", 1, 2, false}, {vigil::streams::Channel::err, -1, "", 0, 0, true}};
  exec.input_fd = 23;
  exec.exit = protocol::ExitSignal{9, true};
  kept.execs = {exec};
  kept.file_workers = {50, 51};
  using streams::KeptStream;
  kept.streams.listener = 24;
  kept.streams.streams = {
      {25, KeptStream::State::accepted, "half", "out", 4096, true,
       streams::KeptExecStream{"ex-0123456789ab", {vigil::streams::Channel::out}, false}},
      {26, KeptStream::State::accepted, "", "", 4096, false, streams::KeptLogFollow{"web", "a", true, false, {{"web", {1, 2}}}, 3}},
      {27, KeptStream::State::accepted, "", "", 4096, false, streams::KeptBridge{28, "in", true, false, 9}},
      {29, KeptStream::State::finishing, "", "bye", 4096, false, std::monostate{}}};
  kept.egress = egress::EgressProxy::Kept{30, {}};
  return kept;
}

TEST_CASE("upgrade codec: what is left is what is found", "[guest][upgrade]") {
  const auto encoded = encode(sample());
  const auto decoded = decode(encoded.bytes);
  REQUIRE(decoded.has_value());
  CHECK(decoded->kept == sample());
  auto named = encoded.descriptors, found = decoded->descriptors;
  std::sort(named.begin(), named.end());
  std::sort(found.begin(), found.end());
  CHECK(named == std::vector<int>{12, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30});
  CHECK(found == named);
  CHECK(decode(encode(KeptAgent{}).bytes)->kept == KeptAgent{});
}

TEST_CASE("upgrade codec: cut anywhere, or with any byte changed, it is refused", "[guest][upgrade]") {
  const std::string bytes = encode(sample()).bytes;
  for (std::size_t length = 0; length < bytes.size(); ++length) REQUIRE(decode(bytes.substr(0, length)).has_error());
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x41);
    REQUIRE(decode(damaged).has_error());
  }
}

TEST_CASE("upgrade codec: another version is refused by its number", "[guest][upgrade]") {
  std::string bytes = encode(sample()).bytes;
  bytes[8] = 2;
  const auto decoded = decode(bytes);
  REQUIRE(decoded.has_error());
  CHECK(decoded.error().code() == Errc::unsupported);
  CHECK(decoded.error().message().find("version 2; this build reads 1") != std::string::npos);
}

// Below the checksum: whatever a reader meets, it ends, and takes no more memory than there are bytes.
TEST_CASE("upgrade archive: nonsense ends a reader, and nothing is taken for it", "[guest][upgrade]") {
  Writer huge;
  huge(std::uint64_t{1} << 40);
  Reader reader(huge.bytes);
  std::vector<std::string> list;
  reader(list);
  CHECK(reader.failed());
  CHECK(list.size() <= 1);

  Writer many;
  many(std::uint64_t{8}, std::uint64_t{0});   // eight items said, one there
  Reader short_one(many.bytes);
  short_one(list);
  CHECK(short_one.failed());

  Writer wide;
  wide(std::uint64_t{300});
  Reader narrow(wide.bytes);
  std::uint8_t byte = 0;
  narrow(byte);
  CHECK(narrow.failed());
}

struct Older {
  std::uint64_t first = 0;
};
struct Newer {
  std::uint64_t first = 0;
  std::string second = "as before";
};
template <class Archive>
void fields(Archive& archive, Older& record) {
  archive(record.first);
}
template <class Archive>
void fields(Archive& archive, Newer& record) {
  archive(record.first, record.second);
}

TEST_CASE("upgrade archive: a member more or less is no matter", "[guest][upgrade]") {
  Older older{7};
  Newer newer{8, "new"};
  std::uint64_t after = 9;
  Writer from_older, from_newer;
  from_older(older, after);
  from_newer(newer, after);
  Newer found;
  after = 0;
  Reader reads_older(from_older.bytes);
  reads_older(found, after);
  CHECK((found.first == 7 && found.second == "as before" && after == 9 && !reads_older.failed()));
  Older cut;
  after = 0;
  Reader reads_newer(from_newer.bytes);
  reads_newer(cut, after);
  CHECK((cut.first == 8 && after == 9 && !reads_newer.failed()));
}

}  // namespace
}  // namespace vigil::guest::upgrade
