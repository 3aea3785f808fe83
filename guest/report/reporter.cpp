#include "guest/report/reporter.hpp"

#include "shared/protocol/codec.hpp"

#include <algorithm>
#include <utility>

namespace vigil::guest::report {

constexpr MonoUs health_on_console_us = 60'000'000;

Reporter::Reporter(Outbox& outbox, const Clock& clock, DigestPrinter print)
    : outbox_(outbox), clock_(clock), print_(std::move(print)), credited_us_(clock.mono_us()), health_printed_us_(clock.mono_us()) {}

Seq Reporter::submit(protocol::ReportBody body) {
  // The console first: should the rest fail, this has been said.
  if (print_ && belongs_on_console(body)) {
    if (take_console_credit()) print_(outbox_.next_seq(), protocol::encode_digest(body));
    else ++left_out_;
  }
  const bool is_crash = std::holds_alternative<protocol::CrashReport>(body);
  const Seq seq = outbox_.append(std::move(body));
  if (wake_) wake_();
  if (is_crash && keep_crash_) keep_crash_();
  return seq;
}

bool Reporter::belongs_on_console(const protocol::ReportBody& body) {
  if (const auto* health = std::get_if<protocol::HealthReport>(&body)) {
    const bool crossed = health->causes.size() != std::exchange(health_causes_, health->causes.size());
    const bool unheard = outbox_.size() > 0 && outbox_.first_unacked() == std::exchange(health_first_unacked_, outbox_.first_unacked());
    const bool due = clock_.mono_us() - health_printed_us_ >= health_on_console_us;
    if (!crossed && !(unheard && due)) return false;
    health_printed_us_ = clock_.mono_us();
    return true;
  }
  // The boot that it is of has printed it; a second digest would be a second crash to whoever knows the console alone.
  if (const auto* crash = std::get_if<protocol::CrashReport>(&body); crash && crash->origin) return false;
  return std::holds_alternative<protocol::StageReport>(body) || std::holds_alternative<protocol::ServiceReport>(body) ||
         std::holds_alternative<protocol::CrashReport>(body) || std::holds_alternative<protocol::ByeReport>(body);
}

bool Reporter::take_console_credit() {
  const MonoUs now = clock_.mono_us();
  const std::uint64_t earned = (now - credited_us_) * console_per_second / 1'000'000;
  if (earned > 0) {
    credit_ = std::min<std::uint64_t>(console_burst, credit_ + earned);
    credited_us_ = now;
  }
  if (credit_ == 0) return false;
  --credit_;
  return true;
}

}  // namespace vigil::guest::report
