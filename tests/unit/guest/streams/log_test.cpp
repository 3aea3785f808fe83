#include "tests/unit/guest/streams/stage.hpp"

#include <vector>

namespace vigil::guest::streams {
namespace {

void write(Stage& stage, const std::string& service, std::string_view out, std::string_view err = {}) {
  auto& log = stage.logs.of(service);
  log.live = true;
  log.out.append(out, stage.loop.now_us());
  log.err.append(err, stage.loop.now_us());
  stage.logs.grew(out.size() + err.size());
}

std::vector<LogPart> parts_of(const HostStream& stream) {
  std::vector<LogPart> parts;
  for (const auto& control : stream.controls)
    if (const auto* part = std::get_if<LogPart>(&control)) parts.push_back(*part);
  return parts;
}

std::uint64_t lost_in(const HostStream& stream) {
  std::uint64_t lost = 0;
  for (const auto& part : parts_of(stream)) lost += part.lost;
  return lost;
}

TEST_CASE("log follow: what was written before and what comes, each stream of each service apart and numbered", "[guest][streams]") {
  Stage stage;
  write(stage, "web", "early\n", "warning\n");
  const auto stream = stage.open(LogFollowOpening{});
  CHECK(stage.accepted(*stream) == R"({"boot":"b007"})");
  stage.until([&] { return stream->got[Channel::err] == "warning\n"; });
  write(stage, "web", "late\n");
  write(stage, "db", "other\n");
  stage.until([&] { return stream->got[Channel::out] == "early\nlate\nother\n" || stream->got[Channel::out] == "early\nother\nlate\n"; });
  std::uint64_t web_out = 0;
  for (const auto& part : parts_of(*stream)) {
    CHECK(part.lost == 0);
    if (part.service != "web" || part.channel != Channel::out) continue;
    CHECK(part.offset == web_out);
    web_out += part.bytes;
  }
  CHECK(web_out == 11);
}

TEST_CASE("log follow: from a position only what follows, and of another boot everything", "[guest][streams]") {
  Stage stage;
  write(stage, "web", "0123456789");
  const auto again = stage.open(LogFollowOpening{"web", false, "b007", {{"web", {4, 0}}}});
  stage.until([&] { return again->is_over(); });
  CHECK(again->got[Channel::out] == "456789");
  CHECK(again->last<Done>()->bytes == 6);
  const auto other = stage.open(LogFollowOpening{"web", false, "another", {{"web", {4, 0}}}});
  stage.until([&] { return other->is_over(); });
  CHECK(other->got[Channel::out] == "0123456789");
  const auto ahead = stage.open(LogFollowOpening{"web", false, "b007", {{"web", {400, 0}}}});
  stage.until([&] { return ahead->is_over(); });
  CHECK(ahead->got[Channel::out].empty());
}

TEST_CASE("log follow: a reader that does not read finds a counted gap, and another one misses nothing", "[guest][streams]") {
  Stage stage;
  const auto slow = stage.open(LogFollowOpening{});
  const auto quick = stage.open(LogFollowOpening{});
  stage.accepted(*slow);
  stage.accepted(*quick);
  slow->stop_reading();
  const std::string line(1000, 'x');
  std::uint64_t written = 0;
  for (int i = 0; i < 2000; ++i) {
    write(stage, "web", line);
    written += line.size();
    stage.until([&] { return quick->got[Channel::out].size() == written; });
  }
  CHECK(lost_in(*quick) == 0);
  slow->watch();
  write(stage, "web", "end");
  stage.until([&] { return slow->got[Channel::out].ends_with("end"); });
  const auto lost = lost_in(*slow);
  CHECK(lost > 1'000'000);
  CHECK(slow->got[Channel::out].size() + lost == written + 3);
}

TEST_CASE("log follow: a service that floods leaves room for another", "[guest][streams]") {
  Stage stage;
  const auto stream = stage.open(LogFollowOpening{});
  stage.accepted(*stream);
  stream->stop_reading();
  write(stage, "a-loud", std::string(process::OutputTail::capacity, 'x'));
  write(stage, "quiet", "I am here");
  stream->watch();
  for (int i = 0; i < 50; ++i) write(stage, "a-loud", std::string(30'000, 'x'));
  stage.until([&] {
    const auto parts = parts_of(*stream);
    return std::any_of(parts.begin(), parts.end(), [](const LogPart& part) { return part.service == "quiet" && part.lost == 0; });
  });
}

TEST_CASE("log follow: what the only follower has taken of an ended service gives its memory back", "[guest][streams]") {
  Stage stage;
  write(stage, "job", "result\n");
  const auto stream = stage.open(LogFollowOpening{});
  stage.until([&] { return stream->got[Channel::out] == "result\n"; });
  stage.logs.of("job").live = false;
  stage.logs.flush();
  CHECK(stage.logs.of("job").out.read(0, 100).bytes.empty());
  CHECK(stage.logs.of("job").out.end() == 7);
  write(stage, "job", "again\n");
  stage.until([&] { return stream->got[Channel::out] == "result\nagain\n"; });
  CHECK(lost_in(*stream) == 0);
}

TEST_CASE("log follow: an unknown service is refused with the names there are", "[guest][streams]") {
  Stage stage;
  write(stage, "web", "x");
  const auto stream = stage.open(LogFollowOpening{"wed", true, "", {}});
  stage.until([&] { return stream->is_over(); });
  CHECK(stream->answer->error().code() == Errc::not_found);
  CHECK(stream->answer->error().message().find("web") != std::string::npos);
}

}  // namespace
}  // namespace vigil::guest::streams
