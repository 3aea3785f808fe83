// Where a report goes: into the outbox, at once onto the console as a digest, then out on the link.
//
// Shape:  the one ReportSink of the agent. Digests are printed for stage, service, crash and bye; for health on a crossing, and otherwise at most once
//         a minute while nothing is acknowledged. A flood is held to `console_burst` digests, then `console_per_second`: what is left out is in the outbox.
// Thread: the loop's. Source: CONTRACTS "Console record".
#pragma once

#include "guest/report/outbox.hpp"
#include "guest/report/report_sink.hpp"
#include "shared/base/clock.hpp"

#include <functional>
#include <string>

namespace vigil::guest::report {

class Reporter final : public ReportSink {
public:
  static constexpr std::uint32_t console_burst = 200, console_per_second = 20;

  using DigestPrinter = std::function<void(Seq seq, const std::string& digest)>;

  Reporter(Outbox& outbox, const Clock& clock, DigestPrinter print);
  Reporter(const Reporter&) = delete;
  Reporter& operator=(const Reporter&) = delete;

  Seq submit(protocol::ReportBody body) override;
  /// Called after each report that was queued: the link sends it.
  void on_queued(std::function<void()> wake) { wake_ = std::move(wake); }
  /// Called after each crash report that was queued: the journal keeps it.
  void on_crash_queued(std::function<void()> keep) { keep_crash_ = std::move(keep); }
  std::uint64_t digests_left_out() const { return left_out_; }

private:
  bool belongs_on_console(const protocol::ReportBody& body);
  bool take_console_credit();

  Outbox& outbox_;
  const Clock& clock_;
  DigestPrinter print_;
  std::function<void()> wake_, keep_crash_;
  std::uint64_t credit_ = console_burst, left_out_ = 0;
  MonoUs credited_us_ = 0, health_printed_us_ = 0;
  Seq health_first_unacked_ = 0;
  std::size_t health_causes_ = 0;
};

}  // namespace vigil::guest::report
