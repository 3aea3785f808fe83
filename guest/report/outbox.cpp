#include "guest/report/outbox.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace vigil::guest::report {
namespace {

using protocol::CrashReport;
using protocol::DroppedReport;
using protocol::HealthReport;
using protocol::ServiceReport;

constexpr std::size_t max_dropped_of_a_kind = 8;   // sent and unacknowledged ones; older ones are folded into the newest

std::size_t size_of(const protocol::Cause& cause) {
  std::size_t bytes = 64;
  for (const auto& [name, value] : cause.fields) {
    const auto* text = std::get_if<std::string>(&value);
    bytes += name.size() + (text ? text->size() : 20);
  }
  for (const auto& line : cause.evidence) bytes += line.size();
  return bytes;
}

std::size_t size_of(const protocol::ReportBody& body) {
  constexpr std::size_t envelope = 200;
  if (const auto* other = std::get_if<protocol::OtherReport>(&body)) return envelope + other->json.size();
  if (const auto* service = std::get_if<ServiceReport>(&body))
    return envelope + 80 * service->probes.size() + (service->cause ? size_of(*service->cause) : 0);
  if (const auto* health = std::get_if<HealthReport>(&body)) {
    std::size_t bytes = envelope + 150 * health->file_systems.size() + 120 * health->top.size();
    for (const auto& message : health->kernel) bytes += 60 + message.text.size();
    for (const auto& cause : health->causes) bytes += size_of(cause);
    return bytes;
  }
  if (const auto* net = std::get_if<protocol::NetReport>(&body)) return envelope + 150 * net->listeners.size();
  if (const auto* signin = std::get_if<protocol::SigninReport>(&body))
    return envelope + signin->private_url.size() + 2 * signin->screen.size() + (signin->cause ? size_of(*signin->cause) : 0);
  if (const auto* trace = std::get_if<protocol::CrashTrace>(&body)) return envelope + 200 * trace->frames.size();
  return envelope;
}

bool is_crash(const protocol::ReportBody& body) { return std::holds_alternative<CrashReport>(body); }

}  // namespace

Outbox::Outbox(BootId boot, const Clock& clock, OutboxLimits limits) : boot_(std::move(boot)), clock_(clock), limits_(limits) {}

Outbox::Outbox(BootId boot, const Clock& clock, OutboxState state, OutboxLimits limits) : Outbox(std::move(boot), clock, limits) {
  next_seq_ = state.next_seq;
  last_sent_ = state.last_sent;
  highest_sent_ = state.highest_sent;
  for (auto& report : state.reports) {
    const std::size_t bytes = size_of(report.body);
    if (is_crash(report.body)) ++crashes_;
    else bytes_ += bytes;
    entries_.push_back({std::move(report), bytes});
    note_kept(entries_.back());
  }
}

Seq Outbox::append(protocol::ReportBody body) {
  const Seq seq = next_seq_++;
  const auto* crash = std::get_if<CrashReport>(&body);
  if (crash && crashes_ >= limits_.crashes) {
    note_dropped("crash:" + crash->cause.text, seq, seq, 1);
    return seq;
  }
  if (auto* health = std::get_if<HealthReport>(&body)) give_up_older_health(*health);
  keep(seq, std::move(body));
  make_room();
  return seq;
}

void Outbox::acknowledge(Seq upto) {
  upto = std::min(upto, highest_sent_);
  while (!entries_.empty() && entries_.front().report.seq <= upto) {
    if (is_crash(entries_.front().report.body)) --crashes_;
    else bytes_ -= entries_.front().bytes;
    forget(entries_.front());
    entries_.pop_front();
  }
}

const protocol::Report* Outbox::next_to_send() const {
  const auto next = std::upper_bound(entries_.begin(), entries_.end(), last_sent_,
                                     [](Seq seq, const Entry& entry) { return seq < entry.report.seq; });
  return next == entries_.end() ? nullptr : &next->report;
}

void Outbox::mark_sent(Seq seq) {
  last_sent_ = std::max(last_sent_, seq);
  highest_sent_ = std::max(highest_sent_, seq);
}

Seq Outbox::first_unacked() const { return entries_.empty() ? next_seq_ : entries_.front().report.seq; }

void Outbox::restore(protocol::Report report) {
  if (report.seq == 0 || report.seq > highest_sent_ || (is_crash(report.body) && crashes_ >= limits_.crashes)) return;
  const auto place = place_of(report.seq);
  if (place != entries_.end() && place->report.seq == report.seq) return;
  const std::size_t bytes = size_of(report.body);
  if (is_crash(report.body)) ++crashes_;
  else bytes_ += bytes;
  note_kept(*entries_.insert(place, Entry{std::move(report), bytes}));
}

std::vector<const protocol::Report*> Outbox::crashes() const {
  std::vector<const protocol::Report*> found;
  for (const Entry& entry : entries_)
    if (is_crash(entry.report.body)) found.push_back(&entry.report);
  return found;
}

OutboxState Outbox::state() const {
  OutboxState state{next_seq_, last_sent_, highest_sent_, {}};
  for (const Entry& entry : entries_) state.reports.push_back(entry.report);
  return state;
}

void Outbox::keep(Seq seq, protocol::ReportBody body) {
  const std::size_t bytes = size_of(body);
  if (is_crash(body)) ++crashes_;
  else bytes_ += bytes;
  const auto place = std::find_if(entries_.rbegin(), entries_.rend(), [&](const Entry& entry) { return entry.report.seq < seq; }).base();
  note_kept(*entries_.insert(place, Entry{protocol::Report{boot_, epoch_, seq, clock_.mono_us(), std::move(body)}, bytes}));
}

void Outbox::note_kept(const Entry& entry) {
  const auto* service = std::get_if<ServiceReport>(&entry.report.body);
  if (service == nullptr) return;
  Seq& newest = newest_of_service_[service->name];
  if (newest != 0) superseded_.insert(std::min(newest, entry.report.seq));
  newest = std::max(newest, entry.report.seq);
}

void Outbox::forget(const Entry& entry) {
  const auto* service = std::get_if<ServiceReport>(&entry.report.body);
  if (service == nullptr || superseded_.erase(entry.report.seq) > 0) return;
  newest_of_service_.erase(service->name);   // it was the newest
}

Outbox::Place Outbox::place_of(Seq seq) {
  return std::lower_bound(entries_.begin(), entries_.end(), seq, [](const Entry& entry, Seq wanted) { return entry.report.seq < wanted; });
}

void Outbox::give_up(Place victim, const std::string& kind) {
  const Seq seq = victim->report.seq;
  bytes_ -= victim->bytes;
  forget(*victim);
  entries_.erase(victim);
  note_dropped(kind, seq, seq, 1);
}

void Outbox::note_dropped(const std::string& kind, Seq first, Seq last, std::uint64_t count) {
  dropped_ += count;
  std::size_t sent_of_kind = 0;
  Place oldest_sent = entries_.end();
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    auto* dropped = std::get_if<DroppedReport>(&entry->report.body);
    if (!dropped || dropped->kind != kind) continue;
    if (entry->report.seq > highest_sent_) {   // nobody has seen it: it may still grow
      dropped->first_seq = std::min(dropped->first_seq, first);
      dropped->last_seq = std::max(dropped->last_seq, last);
      dropped->count += count;
      return;
    }
    if (sent_of_kind++ == 0) oldest_sent = entry;
  }
  DroppedReport report{kind, first, last, count};
  if (sent_of_kind >= max_dropped_of_a_kind) {   // the host takes no acknowledgement to an end: stay bounded
    const auto folded = std::get<DroppedReport>(oldest_sent->report.body);
    report.first_seq = std::min(report.first_seq, folded.first_seq);
    report.last_seq = std::max({report.last_seq, folded.last_seq, oldest_sent->report.seq});
    report.count += folded.count + 1;
    bytes_ -= oldest_sent->bytes;
    entries_.erase(oldest_sent);
  }
  keep(next_seq_++, std::move(report));
}

void Outbox::give_up_older_health(HealthReport& newer) {
  constexpr std::size_t most_kernel_messages = 32;
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    if (entry->report.seq <= last_sent_) continue;
    auto* older = std::get_if<HealthReport>(&entry->report.body);
    if (older == nullptr) continue;
    newer.kernel.insert(newer.kernel.begin(), std::make_move_iterator(older->kernel.begin()), std::make_move_iterator(older->kernel.end()));
    newer.kernel_lost += older->kernel_lost;
    if (newer.kernel.size() > most_kernel_messages) {   // the first ones tell most
      newer.kernel_lost += newer.kernel.size() - most_kernel_messages;
      newer.kernel.resize(most_kernel_messages);
    }
    give_up(entry, "health");   // there is at most one: each append comes through here
    return;
  }
}

bool Outbox::is_over_limits() const { return entries_.size() > limits_.reports || bytes_ > limits_.bytes; }

void Outbox::make_room() {
  while (is_over_limits()) {
    if (const auto service = oldest_superseded_service(); service != entries_.end()) {
      count_in_newest(std::get<ServiceReport>(service->report.body));
      give_up(service, "service");
      continue;
    }
    const auto other = oldest_expendable();
    if (other == entries_.end()) return;   // stages, byes and first crashes are few and are never given up
    give_up(other, protocol::report_type(other->report.body));
  }
}

Outbox::Place Outbox::oldest_superseded_service() { return superseded_.empty() ? entries_.end() : place_of(*superseded_.begin()); }

Outbox::Place Outbox::oldest_expendable() {
  const auto oldest = [&](auto wanted) {
    return std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return wanted(entry.report.body); });
  };
  const auto trace = oldest([](const auto& body) { return std::holds_alternative<protocol::CrashTrace>(body); });
  if (trace != entries_.end()) return trace;
  const auto other = oldest([](const auto& body) { return std::holds_alternative<protocol::OtherReport>(body); });
  if (other != entries_.end()) return other;
  const auto net = oldest([](const auto& body) { return std::holds_alternative<protocol::NetReport>(body); });   // the next one tells all again
  if (net != entries_.end()) return net;
  return oldest([](const auto& body) { return std::holds_alternative<HealthReport>(body); });
}

void Outbox::count_in_newest(const ServiceReport& victim) {
  const Place newest = place_of(newest_of_service_.at(victim.name));
  // A report that went out once keeps its contents: the host knows it by its number. The DroppedReport tells of it all the same.
  if (newest->report.seq > highest_sent_) std::get<ServiceReport>(newest->report.body).collapsed += 1 + victim.collapsed;
}

}  // namespace vigil::guest::report
