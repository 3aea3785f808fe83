// Everything between "a report is made" and "the host has it", put together once: outbox, console, reporter, link.
//
// Shape:  both lives of the agent (initramfs, init) own one; the second begins with what the first left.
// Thread: the loop's.
#pragma once

#include "guest/console/console_port.hpp"
#include "guest/link/link.hpp"
#include "guest/report/outbox.hpp"
#include "guest/report/reporter.hpp"
#include "shared/base/clock.hpp"

#include <chrono>
#include <functional>

namespace vigil::guest::link {

class HostLine {
public:
  HostLine(EventLoop& loop, Dialler& dialler, console::ConsolePort console, LinkFacts facts, LinkEvents events, report::OutboxState left = {});
  HostLine(const HostLine&) = delete;
  HostLine& operator=(const HostLine&) = delete;

  /// The last report of a life: queued, sent, and awaited until the host has committed it, at most `limit`; not awaited when the link is down.
  void say_bye(const protocol::ByeReport& bye, std::chrono::milliseconds limit, std::function<void()> done);

  report::Reporter& reporter() { return reporter_; }
  report::Outbox& outbox() { return outbox_; }
  const report::Outbox& outbox() const { return outbox_; }
  Link& link() { return link_; }
  const Link& link() const { return link_; }
  console::ConsolePort& console() { return console_; }

private:
  void finish_bye();

  EventLoop& loop_;
  SystemClock clock_;
  BootId boot_;
  console::ConsolePort console_;
  report::Outbox outbox_;
  report::Reporter reporter_;
  Link link_;
  Seq bye_seq_ = 0;
  std::function<void()> bye_done_;
  LoopToken bye_deadline_;
};

}  // namespace vigil::guest::link
