#include "guest/supervisor/restart_policy.hpp"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

namespace vigil::guest::supervisor {
namespace {

using service_spec::RestartWhen;
using Kind = RestartVerdict::Kind;

constexpr std::size_t max_evidence_lines = 16;

protocol::Cause crash_loop(const protocol::Cause& first) {
  std::vector<std::string> evidence{protocol::sentence(first)};
  evidence.insert(evidence.end(), first.evidence.begin(), first.evidence.end());
  if (evidence.size() > max_evidence_lines) evidence.resize(max_evidence_lines);
  return protocol::make_cause(protocol::CauseCode::service_crash_loop, {{"first", first.text}}, std::move(evidence));
}

bool wants_restart(RestartWhen when, Death::Kind kind) {
  switch (when) {
    case RestartWhen::always: return kind != Death::Kind::hopeless;
    case RestartWhen::on_failure: return kind == Death::Kind::failure;
    case RestartWhen::never: return false;
  }
  std::abort();
}

}  // namespace

RestartVerdict RestartPolicy::judge(const Death& death) {
  if (!wants_restart(spec_.when, death.kind))
    return {death.kind == Death::Kind::finished ? Kind::finished : Kind::give_up, {}, death.cause};

  const MonoUs window_us = static_cast<MonoUs>(std::chrono::microseconds(spec_.loop_window).count());
  while (!deaths_.empty() && deaths_.front().at_us + window_us < death.at_us) deaths_.pop_front();
  deaths_.push_back({death.at_us, death.cause});
  if (deaths_.size() >= spec_.loop_exits) return {Kind::give_up, {}, crash_loop(deaths_.front().cause)};

  if (death.ready_for_us >= healthy_us) {
    failures_in_a_row_ = 0;
    return {Kind::restart_now, {}, death.cause};
  }
  ++failures_in_a_row_;
  return {Kind::restart_later, next_delay(), death.cause};
}

KeptPolicy RestartPolicy::keep() const {
  KeptPolicy kept{{}, failures_in_a_row_};
  for (const Past& past : deaths_) kept.deaths.emplace_back(past.at_us, past.cause);
  return kept;
}

void RestartPolicy::resume(const KeptPolicy& kept) {
  forget();
  for (const auto& [at_us, cause] : kept.deaths) deaths_.push_back({at_us, cause});
  failures_in_a_row_ = kept.failures_in_a_row;
}

std::chrono::milliseconds RestartPolicy::next_delay() const {
  std::chrono::milliseconds delay = spec_.backoff;
  for (std::uint32_t i = 1; i < failures_in_a_row_ && delay < spec_.backoff_max; ++i) delay *= 2;
  return std::min(delay, spec_.backoff_max);
}

}  // namespace vigil::guest::supervisor
