// A resolver that does not answer costs whoever asked his time, and nobody else.
#include "host/egress/lookups.hpp"
#include "tests/unit/host/unix_client.hpp"

#include <boost/asio/co_spawn.hpp>

#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <future>
#include <optional>

namespace vigil::egress {

using namespace std::chrono_literals;
using test::pump_until;
namespace asio = boost::asio;

namespace {

/// Answers "fast" at once, and everything else when it is let go.
struct Stuck {
  std::promise<void> go;
  std::shared_future<void> gone{go.get_future()};
  std::shared_ptr<std::atomic<int>> asked = std::make_shared<std::atomic<int>>(0);
  Lookups::Ask ask() const {
    return [gone = gone, asked = asked](const std::string& name) -> Addresses {
      ++*asked;
      if (name != "fast") gone.wait();
      return std::vector<Address>(1, *parse_address("8.8.8.8"));
    };
  }
};

struct Scene {
  asio::io_context io;
  Stuck stuck;
  asio::thread_pool pool{8};
  std::shared_ptr<Lookups> lookups = std::make_shared<Lookups>(io.get_executor(), pool, stuck.ask());

  std::shared_ptr<std::optional<Addresses>> look(const std::string& name, std::chrono::milliseconds limit) {
    auto kept = std::make_shared<std::optional<Addresses>>();
    asio::co_spawn(io, keep(lookups, name, limit, kept), [](std::exception_ptr) {});
    return kept;
  }
  static asio::awaitable<void> keep(std::shared_ptr<Lookups> by, std::string name, std::chrono::milliseconds limit,
                                    std::shared_ptr<std::optional<Addresses>> kept) {
    auto finding = by->find(name, limit);
    auto found = co_await std::move(finding);
    kept->emplace(std::move(found));
  }
  bool ends(const std::shared_ptr<std::optional<Addresses>>& lookup) {
    return pump_until(io, [&lookup] { return lookup->has_value(); });
  }
};

}  // namespace

TEST_CASE("egress lookups: the time of who asks is kept although the resolver does not answer", "[host][egress]") {
  Scene scene;
  const auto never = scene.look("stuck", 50ms);
  REQUIRE(scene.ends(never));   // while the resolver is still at it
  CHECK((*never)->error().code() == Errc::timeout);
  const auto fast = scene.look("fast", 20s);
  REQUIRE(scene.ends(fast));
  CHECK((*fast)->value().size() == 1);
  scene.stuck.go.set_value();
}

TEST_CASE("egress lookups: a VM has four at work, the abandoned ones too; the next wait their turn", "[host][egress]") {
  Scene scene;
  std::vector<std::shared_ptr<std::optional<Addresses>>> stuck;
  for (int n = 0; n < 6; ++n) stuck.push_back(scene.look("stuck", 50ms));
  for (const auto& each : stuck) REQUIRE(scene.ends(each));
  CHECK(*scene.stuck.asked == static_cast<int>(Lookups::max_at_once));
  const auto others = std::make_shared<Lookups>(scene.io.get_executor(), scene.pool, scene.stuck.ask());   // of another VM
  auto theirs = std::make_shared<std::optional<Addresses>>();
  asio::co_spawn(scene.io, Scene::keep(others, "fast", 20s, theirs), [](std::exception_ptr) {});
  REQUIRE(scene.ends(theirs));
  CHECK((*theirs)->has_value());
  const auto waits = scene.look("fast", 20s);
  scene.stuck.go.set_value();
  REQUIRE(scene.ends(waits));
  CHECK((*waits)->has_value());
  CHECK(pump_until(scene.io, [&] {
    return *scene.stuck.asked == static_cast<int>(Lookups::max_at_once) + 2;
  }));   // nobody asks for those whose time was up
}

}  // namespace vigil::egress
