#include "guest/process/output_capture.hpp"
#include "guest/process/output_tail.hpp"
#include "tests/unit/guest/process/scene.hpp"

#include <unistd.h>

#include <csignal>
#include <string>

namespace vigil::guest::process {
namespace {

TEST_CASE("output tail: keeps the last 64 KiB in order and counts the rest", "[guest][process]") {
  OutputTail tail;
  CHECK(tail.text().empty());
  CHECK(tail.lost() == 0);
  std::string all;
  for (int i = 0; i < 20'000; ++i) {
    const std::string line = "line " + std::to_string(i) + "\n";
    tail.append(line);
    all += line;
  }
  CHECK(tail.text() == all.substr(all.size() - OutputTail::capacity));
  CHECK(tail.lost() == all.size() - OutputTail::capacity);
}

TEST_CASE("output tail: one piece larger than itself leaves that piece's end", "[guest][process]") {
  OutputTail tail;
  tail.append("before");
  std::string big(OutputTail::capacity * 2 + 17, 'x');
  big.back() = 'y';
  tail.append(big);
  CHECK(tail.text() == big.substr(big.size() - OutputTail::capacity));
  CHECK(tail.lost() == 6 + big.size() - OutputTail::capacity);
}

TEST_CASE("output tail: exactly full is not lost", "[guest][process]") {
  OutputTail tail;
  tail.append(std::string(OutputTail::capacity, 'a'));
  CHECK(tail.lost() == 0);
  tail.append("b");
  CHECK(tail.lost() == 1);
  CHECK(tail.text() == std::string(OutputTail::capacity - 1, 'a') + "b");
}

TEST_CASE("output tail: a new process begins a new text, and what came before can still be read by offset", "[guest][process]") {
  OutputTail tail;
  tail.append("first life\n", 1'000'000);
  tail.begin();
  CHECK(tail.text().empty());
  tail.append("second\n", 2'000'000);
  CHECK(tail.text() == "second\n");
  CHECK(tail.lost() == 0);
  const auto old = tail.read(6, 100);
  CHECK(old.bytes == "life\n");                 // up to where what is younger begins
  CHECK(old.at_us == 1'000'000);
  CHECK(tail.read(11, 100).bytes == "second\n");
  CHECK(tail.read(11, 100).at_us == 2'000'000);
  tail.append(std::string(OutputTail::capacity, 'x'), 3'000'000);
  CHECK(tail.read(0, 10).offset == 18);
  CHECK(tail.lost() == 7);
}

TEST_CASE("output tail: times are few, however long it goes on", "[guest][process]") {
  OutputTail tail;
  for (MonoUs at = 1; at <= 1000; ++at) tail.append("12345678", at * 1'000'000);
  MonoUs before = 0;
  for (std::uint64_t offset = 0; offset < tail.end();) {
    const auto piece = tail.read(offset, OutputTail::capacity);
    CHECK(piece.at_us >= before);
    CHECK(piece.at_us <= (offset / 8 + 1) * 1'000'000);
    before = piece.at_us;
    offset = piece.offset + piece.bytes.size();
  }
  CHECK(before == 1'000'000'000);
}

TEST_CASE("output capture: the last words before a death are there at once", "[guest][process]") {
  ProcessScene scene;
  OutputCapture err(scene.loop);
  LaunchPlan plan = ProcessScene::shell("echo early >&2; echo last words >&2; exit 1");
  plan.stderr_fd = err.open();
  const Launched launched = scene.launch(plan);
  err.launched();
  std::string seen;
  bool dead = false;
  scene.reaper.expect(launched.pid, [&](const ProcessEnd&) {
    err.drain();
    seen = err.tail().text();
    dead = true;
  });
  REQUIRE(run_until(scene.loop, [&] { return dead; }));
  CHECK(seen == "early\nlast words\n");
}

TEST_CASE("output capture: a flood neither blocks the loop nor grows the tail", "[guest][process]") {
  ProcessScene scene;
  OutputCapture out(scene.loop);
  LaunchPlan plan = ProcessScene::shell("exec cat /dev/zero");
  plan.stdout_fd = out.open();
  const Launched launched = scene.launch(plan);
  out.launched();
  int ticks = 0;
  LoopToken ticker;
  const std::function<void()> tick = [&] {
    ++ticks;
    ticker = scene.loop.after(std::chrono::milliseconds(1), tick);
  };
  tick();
  REQUIRE(run_until(scene.loop, [&] { return out.tail().lost() > 8'000'000 && ticks > 10; }));
  CHECK(out.tail().text().size() == OutputTail::capacity);
  kill(launched.pid, SIGKILL);
  scene.wait(launched.pid);
}

TEST_CASE("output capture: a service that closes its pipes is not waited for, one that is left open by a child is", "[guest][process]") {
  ProcessScene scene;
  OutputCapture out(scene.loop);
  LaunchPlan plan = ProcessScene::shell("(read line < /tmp/vigil-never 2>/dev/null; echo late) & exit 0");
  SECTION("closed") { plan = ProcessScene::shell("exec >&- 2>&-; exit 5"); }
  plan.stdout_fd = out.open();
  const Launched launched = scene.launch(plan);
  out.launched();
  const ProcessEnd end = scene.wait(launched.pid);
  if (std::get<protocol::ExitCode>(end.status).code == 5) {
    CHECK(out.tail().text().empty());
    return;
  }
  CHECK(run_until(scene.loop, [&] { return out.tail().text() == "late\n"; }));
}

}  // namespace
}  // namespace vigil::guest::process
