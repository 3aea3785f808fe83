// Whatever happens in whatever order, twice or not at all: the rules that no schedule may break.
#include "tests/unit/host/machine/schedule.hpp"

#include "host/machine/event_codec.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_range.hpp>

namespace vigil::machine {

using namespace vigil::machine::test;

namespace {

StateChanged announcement_of(const VmState& state) {
  return StateChanged{
      .state = derive(state), .power = power(state), .liveness = liveness(state), .outcome = outcome(state), .cause = {}, .service = {}};
}

}  // namespace

TEST_CASE("any schedule: ready has its evidence, ends disarm everything, and replaying gives the same state", "[host][machine][property]") {
  const auto seed = GENERATE(range(1U, 61U));
  const auto events = Schedule(seed).make(150);
  VmState state;
  std::string broken;
  for (std::size_t i = 0; i < events.size() && broken.empty(); ++i) {
    reduce(state, events[i]);
    broken = broken_rule(state);
  }
  CHECK(broken == "");
  CHECK(replay(events) == state);
}

TEST_CASE("any schedule: cut anywhere and folded on from the stored text, it gives the same state", "[host][machine][property]") {
  const auto seed = GENERATE(range(1U, 21U));
  const auto events = Schedule(seed).make(120);
  std::vector<VmEvent> stored;
  for (const auto& event : events) {
    auto decoded = decode_event(encode_event(event));
    if (!decoded) FAIL(decoded.error().message());
    if (*decoded != event) FAIL("event " << event.seq << " came back different");
    stored.push_back(std::move(*decoded));
  }
  CHECK(replay(stored) == replay(events));
}

TEST_CASE("any schedule: an announced outcome never changes again", "[host][machine][property]") {
  const auto seed = GENERATE(range(1U, 41U));
  auto events = Schedule(seed).make(150);
  VmState state;
  std::map<RunNumber, std::pair<RunState, Outcome>> said;
  for (const auto& event : events) {
    reduce(state, event);
    if (!state.run || !state.run->end) continue;
    const auto number = state.run->number;
    if (!state.run->outcome) {
      auto announced = event;
      announced.body = announcement_of(state);
      reduce(state, announced);
      said[number] = {derive(state), *outcome(state)};
    }
    const bool is_same = said.at(number) == std::pair(derive(state), *outcome(state));
    if (!is_same) FAIL("run " << number.value() << " changed its outcome at event " << event.seq);
  }
}

TEST_CASE("any schedule: telling every event twice changes neither state nor power", "[host][machine][property]") {
  const auto seed = GENERATE(range(1U, 41U));
  VmState once, twice;
  for (const auto& event : Schedule(seed).make(100)) {
    reduce(once, event);
    reduce(twice, event);
    reduce(twice, event);
    const bool is_same = derive(once) == derive(twice) && power(once) == power(twice);
    if (!is_same) FAIL("different at event " << event.seq);
  }
}

}  // namespace vigil::machine
