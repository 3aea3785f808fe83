// Any schedule of a daemon's life over the real reducer and the real store: crashes, repetitions, other orders, delays, clocks that jump.
//
// A schedule that breaks a rule is made shorter for as long as it breaks one; what is left is printed, and can be put into the last test.
#include "tests/unit/host/store/world.hpp"

#include "tests/unit/host/store/scratch.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include <random>
#include <set>
#include <sstream>

using vigil::test::Scratch;
using vigil::test::World;

namespace {

using Steps = std::vector<std::uint32_t>;

struct Failure {
  std::string rule;                             // empty: none was broken
  std::size_t steps = 0;                        // after so many
};

Failure carry_out(const Steps& steps) {
  const Scratch scratch;
  World world(scratch / "vigil.db");
  for (std::size_t i = 0; i < steps.size(); ++i)
    if (auto rule = world.step(steps[i]); !rule.empty()) return {rule, i + 1};
  return {world.come_to_rest(), steps.size()};
}

/// Leaves out pieces, half of it first, single steps last, as long as the same rule stays broken.
template <class CarryOut>
Steps shrink(Steps steps, const Failure& failure, CarryOut carry_out_again) {
  steps.resize(failure.steps);
  for (std::size_t piece = steps.size() / 2; piece > 0; piece /= 2)
    for (std::size_t at = 0; at + piece <= steps.size();) {
      auto fewer = steps;
      fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(at), fewer.begin() + static_cast<std::ptrdiff_t>(at + piece));
      if (carry_out_again(fewer).rule == failure.rule)
        steps = std::move(fewer);
      else
        at += piece;
    }
  return steps;
}

std::string text_of(const Steps& steps) {
  std::ostringstream text;
  for (const auto step : steps) text << step << "U, ";
  return text.str();
}

Steps made_from(std::uint32_t seed, std::size_t count) {
  std::mt19937 random(seed);
  Steps steps(count);
  for (auto& step : steps) step = static_cast<std::uint32_t>(random());
  return steps;
}

}  // namespace

TEST_CASE("world: whatever happens to daemon, VMMs, links and clocks, no rule is broken", "[host][store][property]") {
  const auto seed = GENERATE(range(1U, 31U));
  const auto steps = made_from(seed, 160);
  const auto failure = carry_out(steps);
  if (failure.rule.empty()) return;
  const auto least = shrink(steps, failure, carry_out);
  FAIL("seed " << seed << ", after " << failure.steps << " steps: " << failure.rule << "\nat least: " << text_of(least));
}

TEST_CASE("world: the schedules reach what they are for", "[host][store][property]") {
  const Scratch scratch;
  const auto path = scratch / "vigil.db";
  std::uint32_t shortened = 0;
  for (std::uint32_t seed = 1; seed <= 8; ++seed) {
    World world(path + std::to_string(seed));
    for (const auto step : made_from(seed, 160)) world.step(step);
    world.come_to_rest();
    shortened += world.shortened();
  }
  std::set<std::string> types;
  std::uint64_t runs = 0;
  for (std::uint32_t seed = 1; seed <= 8; ++seed) {
    const auto store = std::move(*vigil::store::Store::open(path + std::to_string(seed)));
    const auto events = store->events({.after = 0, .instance = {}, .run = {}, .limit = 100'000});
    for (const auto& event : *events) {
      types.insert(event.type);
      runs += event.type == "start_requested";
    }
  }
  for (const auto* const type :
       {"adopted", "vmm_exited", "shim_lost", "stop_requested", "deadline_passed", "health", "bye", "token_bound", "link_lost"})
    CHECK(types.contains(type));
  CHECK(runs > 20);
  CHECK(shortened > 20);
}

TEST_CASE("world: a schedule that breaks a rule is made as short as it can be", "[host][store]") {
  // The rule is that of this test: these three, in this order.
  const Steps wanted{5, 3, 9};
  const auto breaks = [&](const Steps& steps) {
    std::size_t found = 0;
    for (std::size_t i = 0; i < steps.size(); ++i)
      if (found < wanted.size() && steps[i] == wanted[found] && ++found == wanted.size()) return Failure{"broken", i + 1};
    return Failure{};
  };
  auto steps = made_from(7, 40);
  steps[3] = wanted[0];
  steps[20] = wanted[1];
  steps[33] = wanted[2];
  const auto failure = breaks(steps);
  REQUIRE(failure.steps == 34);
  CHECK(shrink(steps, failure, breaks) == wanted);
}
