#include "host/console/console_reader.hpp"

#include "host/console/finding_collector.hpp"
#include "host/console/rate.hpp"
#include "shared/base/encoding.hpp"
#include "shared/protocol/codec.hpp"

#include <deque>

namespace vigil::console {

using machine::EventBody;

namespace {

constexpr std::size_t tail_lines = 50;
constexpr std::size_t tail_line_bytes = 256;
constexpr std::uint64_t digests_at_once = 200;
constexpr std::uint64_t digests_a_second = 50;

std::vector<EventBody> as_events(std::vector<machine::ConsoleFinding> findings) {
  std::vector<EventBody> events;
  events.reserve(findings.size());
  for (auto& finding : findings) events.emplace_back(std::move(finding));
  return events;
}

/// The console carries neither the whole boot id nor the epoch nor the guest's clock.
std::optional<machine::Reported> partial_report(const Digest& digest) {
  auto body = protocol::decode_digest(digest.json);
  if (!body) return std::nullopt;
  machine::Reported reported;
  reported.report.boot = BootId(digest.boot8);
  reported.report.seq = digest.seq;
  reported.report.body = std::move(*body);
  reported.channel = machine::Channel::console;
  reported.partial = true;
  return reported;
}

}  // namespace

struct ConsoleReader::Impl {
  ConsoleScanner scanner;
  FindingCollector collector;
  Rate digests{digests_at_once, digests_a_second};
  std::uint64_t digests_dropped = 0;
  std::deque<std::string> tail;

  void take_lines(const std::vector<std::string>& lines, MonoUs now_us, std::vector<machine::ConsoleFinding>& found) {
    for (const auto& line : lines) {
      if (line.empty()) continue;
      collector.take_line(line, now_us, found);
      tail.push_back(to_valid_utf8(line, tail_line_bytes));
      if (tail.size() > tail_lines) tail.pop_front();
    }
  }

  std::vector<EventBody> take(const ConsoleScanner::Found& scanned, MonoUs now_us) {
    std::vector<machine::ConsoleFinding> found;
    take_lines(scanned.lines, now_us, found);
    auto events = as_events(std::move(found));
    for (const auto& digest : scanned.digests) {
      auto report = digests.allows(now_us) ? partial_report(digest) : std::nullopt;
      if (report) events.emplace_back(std::move(*report));
      else ++digests_dropped;
    }
    return events;
  }
};

ConsoleReader::ConsoleReader() : impl_(std::make_unique<Impl>()) {}
ConsoleReader::~ConsoleReader() = default;

std::vector<EventBody> ConsoleReader::feed(std::string_view bytes, MonoUs now_us) { return impl_->take(impl_->scanner.feed(bytes), now_us); }

std::vector<EventBody> ConsoleReader::flush() {
  std::vector<machine::ConsoleFinding> found;
  impl_->collector.flush(found);
  return as_events(std::move(found));
}

std::vector<EventBody> ConsoleReader::finish(MonoUs now_us) {
  auto events = impl_->take(impl_->scanner.finish(), now_us);
  for (auto& event : flush()) events.push_back(std::move(event));
  return events;
}

bool ConsoleReader::open() const { return impl_->collector.open(); }
std::uint64_t ConsoleReader::damaged() const { return impl_->scanner.damaged(); }
std::uint64_t ConsoleReader::digests_dropped() const { return impl_->digests_dropped; }
std::vector<std::string> ConsoleReader::tail() const { return {impl_->tail.begin(), impl_->tail.end()}; }

}  // namespace vigil::console
