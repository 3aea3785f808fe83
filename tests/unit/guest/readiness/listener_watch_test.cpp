#include "guest/readiness/listener_watch.hpp"

#include "guest/readiness/patience.hpp"
#include "tests/unit/guest/readiness/probe_scene.hpp"

#include <sys/mount.h>
#include <sys/stat.h>

namespace vigil::guest::readiness {
namespace {

/// tracefs on a directory of our own; empty where the machine does not let us.
class TraceFs {
public:
  TraceFs() {
    mkdir(path().c_str(), 0700);
    mounted_ = mount("tracefs", path().c_str(), "tracefs", 0, nullptr) == 0;
  }
  TraceFs(const TraceFs&) = delete;
  TraceFs& operator=(const TraceFs&) = delete;
  ~TraceFs() {
    if (mounted_) umount2(path().c_str(), MNT_DETACH);
  }
  explicit operator bool() const { return mounted_; }
  std::string path() const { return directory_.path() + "/tracing"; }

private:
  TestDirectory directory_;
  bool mounted_ = false;
};

TEST_CASE("listener watch: the kernel's event wakes the probe", "[guest][readiness]") {
  const TraceFs tracefs;
  if (!tracefs) SKIP("tracefs cannot be mounted here");
  ProbeScene scene;
  scene.tracefs = tracefs.path();
  const TestSocket socket;
  scene.start_on_ourselves({service_spec::TcpProbe{socket.port(), "127.0.0.1"}});
  REQUIRE(scene.listeners->is_event_triggered());
  int looks = 0;
  const auto subscription = scene.listeners->subscribe(socket.port(), [&] { ++looks; });
  scene.settle();
  CHECK(looks == 0);   // nothing is polled while nothing happens
  socket.start_listening();
  CHECK(scene.wait_until_passed());
  CHECK(looks > 0);
  const std::string instance = tracefs.path() + "/instances/vigil-" + std::to_string(getpid());
  CHECK(access(instance.c_str(), F_OK) == 0);
  scene.probes.reset();
  scene.tools.reset();
  scene.listeners.reset();
  CHECK(access(instance.c_str(), F_OK) != 0);
}

TEST_CASE("listener watch: who wants all ports hears of each that comes or goes, and is left alone otherwise", "[guest][readiness]") {
  const TraceFs tracefs;
  if (!tracefs) SKIP("tracefs cannot be mounted here");
  ProcessScene scene;
  ListenerWatch watch(scene.loop, tracefs.path());
  int looks = 0;
  const auto subscription = watch.subscribe_to_all([&] { ++looks; });
  TestSocket socket;
  socket.start_listening();
  REQUIRE(run_until(scene.loop, [&] { return looks > 0; }));
  REQUIRE(run_until(scene.loop, [&] { return looks >= 8; }));   // the looks that follow an event
  looks = 0;
  socket.close();
  REQUIRE(run_until(scene.loop, [&] { return looks > 0; }));
}

TEST_CASE("listener watch: without tracefs it looks from time to time, until the subscription ends", "[guest][readiness]") {
  ProcessScene scene;
  ListenerWatch watch(scene.loop, "/nonexistent");
  int looks = 0;
  {
    const auto subscription = watch.subscribe(1, [&] { ++looks; });
    REQUIRE(run_until(scene.loop, [&] { return looks >= 3; }));
    CHECK_FALSE(watch.is_event_triggered());
  }
  const int before = looks;
  bool later = false;
  const auto timer = scene.loop.after(std::chrono::milliseconds(100), [&] { later = true; });
  REQUIRE(run_until(scene.loop, [&] { return later; }));
  CHECK(looks == before);
}

TEST_CASE("listener watch: a subscription may end from within its own look", "[guest][readiness]") {
  ProcessScene scene;
  ListenerWatch watch(scene.loop, "");
  int looks = 0;
  ListenerWatch::Subscription subscription;
  subscription = watch.subscribe(1, [&] {
    ++looks;
    subscription = {};
  });
  REQUIRE(run_until(scene.loop, [&] { return looks == 1; }));
}

TEST_CASE("patience: doubles to its most, after a minute to five seconds, and begins anew", "[guest][readiness]") {
  using std::chrono::milliseconds;
  Patience patience(milliseconds(10), milliseconds(1000));
  CHECK(patience.take() == milliseconds(10));
  CHECK(patience.take() == milliseconds(20));
  milliseconds spent{30};
  while (spent < Patience::minute) {
    const milliseconds next = patience.take();
    CHECK(next <= milliseconds(1000));
    spent += next;
  }
  for (int i = 0; i < 5; ++i) patience.take();
  CHECK(patience.take() == milliseconds(5000));
  patience.renew();
  CHECK(patience.take() == milliseconds(10));
}

TEST_CASE("listener watch: trace lines are read, others are not", "[guest][readiness]") {
  CHECK(parse_listen_event("   nginx-123 [000] d..1. 12.34: inet_sock_set_state: family=AF_INET protocol=IPPROTO_TCP sport=8080 dport=0 saddr=127.0.0.1 "
                           "daddr=0.0.0.0 oldstate=TCP_CLOSE newstate=TCP_LISTEN") == ListenEvent{8080, ListenEvent::Kind::begun});
  CHECK(parse_listen_event("inet_sock_set_state: sport=8080 dport=0 oldstate=TCP_LISTEN newstate=TCP_CLOSE") ==
        ListenEvent{8080, ListenEvent::Kind::ended});
  CHECK_FALSE(parse_listen_event("inet_sock_set_state: sport=8080 dport=0 oldstate=TCP_ESTABLISHED newstate=TCP_CLOSE"));
  CHECK_FALSE(parse_listen_event("sport=99999 newstate=TCP_LISTEN"));
  CHECK_FALSE(parse_listen_event(" sport=0 newstate=TCP_LISTEN"));
  CHECK_FALSE(parse_listen_event(""));
}

}  // namespace
}  // namespace vigil::guest::readiness
