#include "guest/loop/event_loop.hpp"

#include <catch2/catch_test_macros.hpp>

#include <sys/epoll.h>
#include <unistd.h>

#include <optional>
#include <stdexcept>
#include <vector>

namespace vigil::guest {

using namespace std::chrono_literals;

namespace {

struct Pipe {
  Pipe() {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    read_end.reset(ends[0]);
    write_end.reset(ends[1]);
  }
  void put() { REQUIRE(::write(write_end.get(), "x", 1) == 1); }
  UniqueFd read_end, write_end;
};

}  // namespace

TEST_CASE("loop: timers fire in order of their due time and then of their age", "[guest][loop]") {
  EventLoop loop;
  std::vector<int> fired;
  const auto late = loop.after_us(3ms, [&] { fired.push_back(3); loop.stop(); });
  const auto early = loop.after_us(1ms, [&] { fired.push_back(1); });
  const auto middle = loop.after_us(2ms, [&] { fired.push_back(2); });
  loop.run();
  REQUIRE(fired == std::vector<int>{1, 2, 3});
}

TEST_CASE("loop: a timer does not fire before its time", "[guest][loop]") {
  EventLoop loop;
  const MonoUs start = loop.now_us();
  const auto timer = loop.after(20ms, [&] { loop.stop(); });
  loop.run();
  REQUIRE(loop.now_us() - start >= 20'000);
}

TEST_CASE("loop: a token that ends takes its registration with it", "[guest][loop]") {
  EventLoop loop;
  bool fired = false;
  { const auto timer = loop.after_us(0us, [&] { fired = true; }); }
  Pipe pipe;
  pipe.put();
  { const auto watch = loop.watch(pipe.read_end.get(), EPOLLIN, [&](std::uint32_t) { fired = true; }); }
  loop.run_once(5ms);
  REQUIRE_FALSE(fired);
}

TEST_CASE("loop: a handler may cancel its own token, and that of the next handler in the same turn", "[guest][loop]") {
  EventLoop loop;
  Pipe first, second;
  first.put();
  second.put();
  int calls = 0;
  LoopToken first_watch, second_watch;
  const auto once = [&](std::uint32_t) {
    ++calls;
    first_watch.cancel();
    second_watch.cancel();
  };
  first_watch = loop.watch(first.read_end.get(), EPOLLIN, once);
  second_watch = loop.watch(second.read_end.get(), EPOLLIN, once);
  loop.run_once(100ms);
  loop.run_once(0ms);
  REQUIRE(calls == 1);
}

TEST_CASE("loop: a timer may set itself again from inside its handler", "[guest][loop]") {
  EventLoop loop;
  int ticks = 0;
  LoopToken timer;
  std::function<void()> tick = [&] {
    if (++ticks == 3) loop.stop();
    else timer = loop.after_us(100us, tick);
  };
  timer = loop.after_us(100us, tick);
  loop.run();
  REQUIRE(ticks == 3);
}

TEST_CASE("loop: an exception ends the handler, not the loop", "[guest][loop]") {
  EventLoop loop;
  int calls = 0;
  const auto bad = loop.after_us(0us, [] { throw std::runtime_error("in a handler"); });
  const auto odd = loop.after_us(1us, [] { throw 42; });
  const auto good = loop.after_us(2us, [&] { ++calls; loop.stop(); });
  loop.run();
  REQUIRE(calls == 1);
}

TEST_CASE("loop: what is posted runs in the next turn, also when the poster is posted", "[guest][loop]") {
  EventLoop loop;
  std::vector<int> order;
  loop.post([&] {
    order.push_back(1);
    loop.post([&] { order.push_back(3); });
    order.push_back(2);
  });
  loop.run_once(0ms);
  REQUIRE(order == std::vector<int>{1, 2});
  loop.run_once(-1ms);   // does not wait: something is posted
  REQUIRE(order == std::vector<int>{1, 2, 3});
}

TEST_CASE("loop: rearm changes what a watch waits for", "[guest][loop]") {
  EventLoop loop;
  Pipe pipe;
  std::uint32_t seen = 0;
  const auto watch = loop.watch(pipe.write_end.get(), 0, [&](std::uint32_t events) { seen = events; });
  loop.run_once(0ms);
  REQUIRE(seen == 0);
  loop.rearm(watch, EPOLLOUT);
  loop.run_once(100ms);
  REQUIRE(seen == EPOLLOUT);
}

TEST_CASE("loop: a token may outlive its loop", "[guest][loop]") {
  LoopToken token;
  Pipe pipe;
  LoopToken watch;
  {
    EventLoop loop;
    token = loop.after(1h, [] {});
    watch = loop.watch(pipe.read_end.get(), EPOLLIN, [](std::uint32_t) {});
  }
  token.cancel();
  REQUIRE_FALSE(static_cast<bool>(token));
}

TEST_CASE("loop: a descriptor that cannot be watched gives an empty token", "[guest][loop]") {
  EventLoop loop;
  const auto token = loop.watch(-1, EPOLLIN, [](std::uint32_t) {});
  REQUIRE_FALSE(static_cast<bool>(token));
}

}  // namespace vigil::guest
