#include "guest/readiness/probe_set.hpp"

#include <algorithm>
#include <utility>

namespace vigil::guest::readiness {

ProbeSet::ProbeSet(const std::vector<service_spec::ProbeSpec>& specs, const ServiceName& service, ProbeTools& tools, std::function<void()> changed)
    : loop_(tools.loop), changed_(std::move(changed)) {
  members_.reserve(specs.size());
  for (std::size_t i = 0; i < specs.size(); ++i) {
    Member member;
    member.result.probe = service_spec::probe_name(specs[i]);
    member.probe = make_probe(specs[i], service, tools, {[this, i] { passed(i); }, [this] { tell(); }});
    members_.push_back(std::move(member));
  }
}

Result<void> ProbeSet::prepare(process::LaunchPlan& plan) {
  for (Member& member : members_) TRY_VOID(member.probe->prepare(plan));
  return {};
}

void ProbeSet::begin(const process::ProcessGroup& group) {
  for (Member& member : members_) member.probe->begin(group);
}

std::vector<ProbeSet::Kept> ProbeSet::keep() const {
  std::vector<Kept> kept;
  for (const Member& member : members_) kept.push_back({member.result, member.probe->keep()});
  return kept;
}

void ProbeSet::resume(const std::vector<Kept>& kept, const process::ProcessGroup& group) {
  for (std::size_t i = 0; i < members_.size() && i < kept.size(); ++i) {
    Member& member = members_[i];
    member.result.passed = kept[i].result.passed;
    member.result.passed_us = kept[i].result.passed_us;
    if (kept[i].probe.fd >= 0) member.probe->resume(UniqueFd(kept[i].probe.fd), kept[i].probe.uid);
    else if (member.result.passed) continue;   // it has nothing more to see
    member.probe->begin(group);
  }
}

bool ProbeSet::all_passed() const {
  return std::all_of(members_.begin(), members_.end(), [](const Member& member) { return member.result.passed; });
}

std::vector<protocol::ProbeResult> ProbeSet::results() const {
  std::vector<protocol::ProbeResult> results;
  for (const Member& member : members_) results.push_back(member.result);
  return results;
}

std::optional<protocol::Cause> ProbeSet::finding() const {
  for (const Member& member : members_)
    if (!member.result.passed)
      if (auto finding = member.probe->finding()) return finding;
  return std::nullopt;
}

protocol::Cause ProbeSet::timeout_cause() const {
  if (auto obstacle = finding()) return *std::move(obstacle);
  std::string names;
  std::vector<std::string> evidence;
  for (const Member& member : members_) {
    if (member.result.passed) continue;
    names += (names.empty() ? "" : ", ") + member.result.probe;
    if (const std::string seen = member.probe->seen(); !seen.empty()) evidence.push_back(member.result.probe + ": " + seen);
  }
  return protocol::make_cause(protocol::CauseCode::service_ready_timeout, {{"probe", names}}, std::move(evidence));
}

void ProbeSet::passed(std::size_t index) {
  protocol::ProbeResult& result = members_[index].result;
  if (result.passed) return;
  result.passed = true;
  result.passed_us = loop_.now_us();
  tell();
}

// From the loop, not from within a probe: the listener may drop us, probe and all. At once when nothing else is due.
void ProbeSet::tell() {
  telling_ = loop_.after(std::chrono::milliseconds(0), [this] {
    const auto changed = changed_;   // survives us
    changed();
  });
}

}  // namespace vigil::guest::readiness
