#include "guest/link/host_line.hpp"

#include <utility>

namespace vigil::guest::link {
namespace {

LinkEvents with_acknowledged(LinkEvents events, std::function<void()> ours) {
  events.acknowledged = [theirs = std::move(events.acknowledged), ours = std::move(ours)] {
    if (theirs) theirs();
    ours();
  };
  return events;
}

}  // namespace

HostLine::HostLine(EventLoop& loop, Dialler& dialler, console::ConsolePort console, LinkFacts facts, LinkEvents events, report::OutboxState left)
    : loop_(loop),
      boot_(facts.boot),
      console_(std::move(console)),
      outbox_(boot_, clock_, std::move(left)),
      reporter_(outbox_, clock_, [this](Seq seq, const std::string& digest) { console_.print_digest(boot_, seq, digest); }),
      link_(loop, dialler, outbox_, std::move(facts), with_acknowledged(std::move(events), [this] { finish_bye(); })) {
  reporter_.on_queued([this] { link_.flush(); });
}

void HostLine::say_bye(const protocol::ByeReport& bye, std::chrono::milliseconds limit, std::function<void()> done) {
  bye_done_ = std::move(done);
  bye_seq_ = reporter_.submit(bye);
  const auto wait = link_.is_up() ? limit : std::chrono::milliseconds(0);
  bye_deadline_ = loop_.after(wait, [this] {
    if (auto finished = std::exchange(bye_done_, nullptr)) finished();
  });
}

void HostLine::finish_bye() {
  if (!bye_done_ || outbox_.first_unacked() <= bye_seq_) return;
  bye_deadline_.cancel();
  std::exchange(bye_done_, nullptr)();
}

}  // namespace vigil::guest::link
