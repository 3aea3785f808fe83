#include "guest/systemd/blockage.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>
#include <tuple>

namespace vigil::guest::systemd {
namespace {

using protocol::CauseCode;

constexpr std::size_t max_steps = 16;

// Every service waits for these; that one of them has not come says nothing yet.
constexpr std::array<std::string_view, 11> milestones = {"sysinit.target", "basic.target",      "local-fs.target", "local-fs-pre.target",
                                                         "swap.target",    "sockets.target",    "paths.target",    "timers.target",
                                                         "slices.target",  "multi-user.target", "graphical.target"};

bool is_milestone(const std::string& unit) { return std::find(milestones.begin(), milestones.end(), unit) != milestones.end(); }

auto rank(const Job& job) { return std::tuple(!device_of(job.unit).has_value(), job.state != "running", is_milestone(job.unit)); }

struct Walk {
  Chain chain;
  std::function<void(Chain)> done;
};

void step(ManagerBus& bus, std::uint32_t job, const std::shared_ptr<Walk>& walk) {
  bus.jobs_before(job, [&bus, walk](std::vector<Job> jobs) {
    std::erase_if(jobs, [&](const Job& candidate) {
      return std::any_of(walk->chain.begin(), walk->chain.end(), [&](const Job& known) { return known.id == candidate.id; });
    });
    if (jobs.empty() || walk->chain.size() >= max_steps) return walk->done(std::move(walk->chain));
    walk->chain.push_back(most_telling(jobs));
    step(bus, walk->chain.back().id, walk);
  });
}

}  // namespace

const Job& most_telling(const std::vector<Job>& jobs) {
  return *std::min_element(jobs.begin(), jobs.end(), [](const Job& left, const Job& right) { return rank(left) < rank(right); });
}

void find_blockage(ManagerBus& bus, std::uint32_t job, std::function<void(Chain)> done) {
  const auto walk = std::make_shared<Walk>();
  walk->done = std::move(done);
  step(bus, job, walk);
}

Blockage name_blockage(const std::string& unit, const Chain& chain) {
  std::vector<std::string> evidence;
  std::string waiting = unit;
  for (const Job& job : chain) {
    evidence.push_back(waiting + " waits for " + job.unit + ", whose " + job.type + " job is " + job.state);
    waiting = job.unit;
  }
  if (const auto device = device_of(chain.back().unit))
    return {chain.back().unit, protocol::make_cause(CauseCode::unit_device_timeout, {{"device", *device}}, std::move(evidence))};
  const auto named = std::find_if(chain.begin(), chain.end(), [](const Job& job) { return !is_milestone(job.unit); });
  const std::string& waits_for = named == chain.end() ? chain.back().unit : named->unit;
  return {waits_for, protocol::make_cause(CauseCode::unit_blocked, {{"unit", unit}, {"waits_for", waits_for}}, std::move(evidence))};
}

}  // namespace vigil::guest::systemd
