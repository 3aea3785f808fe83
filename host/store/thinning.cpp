// Health that says nothing new gives way in the log to the next report, which is then written down as standing for it: the tables can still be rebuilt.
#include "host/store/batch_state.hpp"

namespace vigil::store {

namespace {

constexpr UnixUs one_stays_us = 60'000'000;

const protocol::HealthReport* full_health(const machine::VmEvent& event) {
  const auto* reported = std::get_if<machine::Reported>(&event.body);
  return reported == nullptr || reported->partial ? nullptr : std::get_if<protocol::HealthReport>(&reported->report.body);
}

bool ends_run(const machine::EventBody& body) {
  return std::holds_alternative<machine::VmmExited>(body) || std::holds_alternative<machine::StartFailed>(body) || std::holds_alternative<machine::ShimLost>(body) ||
         std::holds_alternative<machine::Removed>(body);
}

/// Nothing else of its instance was stored between the two, and the numbers rise: either way they lead to the same state and the same tables.
bool gives_way(const LatestHealth& before, const LatestHealth& next) {
  return before.event != 0 && !before.stays && before.stream == next.stream && before.seq < next.seq && before.causes == next.causes &&
         next.kept_unix_us >= before.kept_unix_us && next.kept_unix_us - before.kept_unix_us < one_stays_us;
}

}  // namespace

const LatestHealth* BatchState::latest_health(std::uint64_t row) const {
  if (dead_.contains(row)) return nullptr;
  if (const auto staged = health_.find(row); staged != health_.end()) return &staged->second;
  const auto stored = store_.health.find(row);
  return stored == store_.health.end() ? nullptr : &stored->second;
}

Gaps BatchState::thin_out_health(const machine::VmEvent& event, std::uint64_t row) {
  const auto* const health = full_health(event);
  const auto* const before = latest_health(row);
  if (health == nullptr || before == nullptr || before->stream.run != event.run) return {};
  const auto& report = std::get<machine::Reported>(event.body).report;
  LatestHealth next{event.seq, {row, boot8(report.boot), event.run, report.epoch}, report.seq, event.at_unix_us, health->causes, {}, !health->kernel.empty()};
  if (gives_way(*before, next)) {
    next.kept_unix_us = before->kept_unix_us;
    next.stands_for = before->stands_for;
    next.stands_for.add(before->seq, before->seq);
    superseded_.push_back({row, before->event});
  }
  auto stands_for = next.stands_for;
  health_[row] = std::move(next);
  return stands_for;
}

void BatchState::note_life(const machine::VmEvent& event, std::uint64_t row) {
  const bool begins = std::holds_alternative<machine::StartRequested>(event.body) || std::holds_alternative<machine::Adopted>(event.body);
  if (begins) {
    dead_.erase(row);
    health_[row] = LatestHealth{};
    health_[row].stream.run = event.run;
  } else if (ends_run(event.body)) {
    dead_.insert(row);
    health_.erase(row);
  } else if (const auto* const latest = latest_health(row); latest != nullptr && latest->event != event.seq && latest->event != 0) {
    auto passed = *latest;
    passed.event = 0;
    health_[row] = std::move(passed);
  }
}

}  // namespace vigil::store
