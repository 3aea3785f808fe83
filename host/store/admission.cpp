// Adding an event to a batch: is it known already, whose is it, which number does it get.
#include "host/store/batch_state.hpp"

namespace vigil::store {

using machine::Reported;
using machine::VmEvent;
using protocol::CrashReport;
using protocol::DroppedReport;

namespace {

constexpr Admission accepted{Admission::Kind::accepted, 0};
constexpr Admission conflict{Admission::Kind::conflict, 0};
constexpr std::uint64_t host_row = 0;   // of events that are of no instance; rows begin at 1

}  // namespace

Result<std::optional<KnownInstance>> BatchState::instance(const InstanceId& id) {
  const auto changed = instances_.find(id);
  if (changed != instances_.end()) return std::optional(changed->second);
  return store_.instance(id);
}

bool BatchState::is_name_taken(const InstanceName& name) const {
  for (const auto& [id, known] : instances_)
    if (known.name == name && !known.removed) return true;
  const auto owner = store_.names.find(name);
  return owner != store_.names.end() && !instances_.contains(owner->second);
}

Result<Stream*> BatchState::stream(const StreamKey& key) {
  const auto changed = streams_.find(key);
  if (changed != streams_.end()) return &changed->second;
  TRY(stored, store_.stream(key));
  auto& stream = streams_[key] = std::move(stored);
  if (!stream.is_stored) stream.row = store_.next_stream_row++;
  return &stream;
}

void BatchState::append(VmEvent& event, std::uint64_t row) {
  event.seq = next_seq();
  encoded_.push_back(std::make_shared<const machine::EncodedEvent>(machine::encode_event(event)));
  rows_.push_back(row);
  thin_out_health(event, row);
}

void BatchState::thin_out_health(const VmEvent& event, std::uint64_t row) {
  constexpr UnixUs one_stays_us = 60'000'000;
  const auto* reported = std::get_if<machine::Reported>(&event.body);
  const auto* health = reported == nullptr || reported->partial ? nullptr : std::get_if<protocol::HealthReport>(&reported->report.body);
  if (health == nullptr) return;
  const auto staged = health_.find(row);
  const auto stored = store_.health.find(row);
  const LatestHealth* const before = staged != health_.end() ? &staged->second : stored != store_.health.end() ? &stored->second : nullptr;
  LatestHealth latest{event.seq, event.run, event.at_unix_us, health->causes, !health->kernel.empty()};
  const bool gives_way = before != nullptr && before->run == event.run && before->causes == health->causes && !before->has_news &&
                         event.at_unix_us >= before->kept_unix_us && event.at_unix_us - before->kept_unix_us < one_stays_us;
  if (gives_way) {
    latest.kept_unix_us = before->kept_unix_us;
    superseded_.push_back(before->seq);
  }
  health_[row] = std::move(latest);
}

Result<Admission> BatchState::add_created(VmEvent& event, const machine::InstanceSpec& spec) {
  TRY(known, instance(event.instance));
  if (known || is_name_taken(spec.name)) return conflict;
  const auto row = store_.next_instance_row++;
  instances_[event.instance] = KnownInstance{row, spec.name, false};
  projections_.push_back(NewInstance{row, event.instance, spec, event.at_unix_us});
  append(event, row);
  return accepted;
}

void BatchState::project(const VmEvent& event, const KnownInstance& known) {
  if (std::holds_alternative<machine::StartRequested>(event.body)) projections_.push_back(LastRun{known.row, event.run});
  if (!std::holds_alternative<machine::Removed>(event.body)) return;
  projections_.push_back(RemovedAt{known.row, event.at_unix_us});
  instances_[event.instance] = KnownInstance{known.row, known.name, true};
}

Result<Admission> BatchState::add(VmEvent& event) {
  if (const auto* created = std::get_if<machine::Created>(&event.body)) return add_created(event, created->spec);
  if (event.instance.value().empty() && std::holds_alternative<machine::Reconciled>(event.body)) {
    append(event, host_row);
    return accepted;
  }
  TRY(known, instance(event.instance));
  if (!known) return conflict;
  auto admission = accepted;
  if (auto* reported = std::get_if<Reported>(&event.body)) {
    TRY(verdict, admit(*reported, known->row, event.run));
    admission = verdict;
  }
  if (admission.kind != Admission::Kind::accepted) return admission;
  append(event, known->row);
  project(event, *known);
  return admission;
}

Result<Admission> BatchState::admit(Reported& reported, std::uint64_t row, RunNumber run) {
  const auto& report = reported.report;
  const StreamKey key{row, boot8(report.boot), run, report.epoch};
  TRY(found, stream(key));
  if (!reported.partial) return admit_full(reported, key, *found);
  switch (found->take_partial(report.seq, next_seq())) {
    case Offer::fresh: break;
    case Offer::known: return Admission{Admission::Kind::duplicate, found->gaps.count()};
    case Offer::too_many: return Admission{Admission::Kind::over_limit, found->gaps.count()};
  }
  partials_.push_back({key, report.seq, next_seq()});
  return Admission{Admission::Kind::accepted, found->gaps.count()};
}

Result<Admission> BatchState::admit_full(Reported& reported, const StreamKey& key, Stream& stream) {
  const auto& report = reported.report;
  machine::EventSeq replaced = 0;
  if (stream.take_full(report.seq, replaced) == Offer::known) return Admission{Admission::Kind::duplicate, stream.gaps.count()};
  if (replaced != 0) partials_.push_back({key, report.seq, 0});
  if (const auto* dropped = std::get_if<DroppedReport>(&report.body)) stream.gaps.remove(dropped->first_seq, dropped->last_seq);
  if (const auto* crash = std::get_if<CrashReport>(&report.body); crash != nullptr && crash->origin) {
    TRY(is_known, take_origin(*crash, key, replaced));
    if (is_known) return Admission{Admission::Kind::duplicate, stream.gaps.count()};
  }
  reported.replaces = replaced;
  return Admission{Admission::Kind::accepted, stream.gaps.count()};
}

Result<bool> BatchState::take_origin(const CrashReport& crash, const StreamKey& own, machine::EventSeq& replaced) {
  const auto& [boot, seq] = *crash.origin;
  const Origin origin{own.instance, boot8(boot), seq};
  if (origin.boot8 == own.boot8) return false;   // this boot's own number, checked already
  if (!origins_.insert(origin).second) return true;
  TRY(is_stored, store_.is_origin_known(origin.instance, origin.boot8, seq));
  if (is_stored) return true;
  TRY(keys, store_.streams_of_boot(origin.instance, origin.boot8));
  for (const auto& key : keys) {
    TRY(earlier, stream(key));
    if (earlier->knows(seq)) return true;
    const auto partial = earlier->partials.find(seq);
    if (partial == earlier->partials.end()) continue;
    replaced = partial->second;
    earlier->partials.erase(partial);
    partials_.push_back({key, seq, 0});
  }
  return false;
}

}  // namespace vigil::store
