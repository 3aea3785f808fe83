#include "host/store/projection.hpp"

#include "shared/base/overloaded.hpp"

namespace vigil::store {

using machine::EventSeq;
using machine::VmEvent;

std::optional<Origin> foreign_origin(const protocol::CrashReport& crash, const StreamKey& own) {
  if (!crash.origin) return std::nullopt;
  const auto& [boot, seq] = *crash.origin;
  const Origin origin{own.instance, boot8(boot), seq};
  if (origin.boot8 == own.boot8) return std::nullopt;   // this boot's own number
  return origin;
}

// ---- looks ----

Result<std::optional<KnownInstance>> Projection::instance(const InstanceId& id) {
  const auto changed = instances_.find(id);
  if (changed != instances_.end()) return std::optional(changed->second);
  return store_.instance(id);
}

bool Projection::is_name_taken(const InstanceName& name) const {
  for (const auto& [id, known] : instances_)
    if (known.name == name && !known.removed) return true;
  const auto owner = store_.names.find(name);
  return owner != store_.names.end() && !instances_.contains(owner->second);
}

Result<Stream*> Projection::stream(const StreamKey& key) {
  const auto looked_at = streams_.find(key);
  if (looked_at != streams_.end()) return &looked_at->second;
  TRY(stored, store_.stream(key));
  return &(streams_[key] = std::move(stored));
}

Result<std::vector<StreamKey>> Projection::streams_of_boot(std::uint64_t instance, const std::string& boot8) {
  TRY(stored, store_.streams_of_boot(instance, boot8));
  std::set<StreamKey> keys(stored.begin(), stored.end());
  for (const auto& key : changed_)
    if (key.instance == instance && key.boot8 == boot8) keys.insert(key);
  return std::vector<StreamKey>(keys.begin(), keys.end());
}

Result<bool> Projection::is_origin_known(const Origin& origin) {
  if (origins_.contains(origin)) return true;
  return store_.is_origin_known(origin.instance, origin.boot8, origin.seq);
}

// ---- events ----

Result<void> Projection::apply(const VmEvent& event, std::uint64_t row, const Gaps& stands_for) {
  if (const auto* created = std::get_if<machine::Created>(&event.body)) {
    instances_[event.instance] = KnownInstance{row, created->spec.name, false};
    rows_.push_back(NewInstance{row, event.instance, created->spec, event.at_unix_us});
  } else if (std::holds_alternative<machine::StartRequested>(event.body)) {
    rows_.push_back(LastRun{row, event.run});
  } else if (std::holds_alternative<machine::Removed>(event.body)) {
    TRY(known, instance(event.instance));
    if (known) instances_[event.instance] = KnownInstance{row, known->name, true};
    rows_.push_back(RemovedAt{row, event.at_unix_us});
  } else if (const auto* bound = std::get_if<machine::TokenBound>(&event.body)) {
    rows_.push_back(Token{row, event.run, bound->boot, bound->sha256});
  } else if (const auto* repeated = std::get_if<machine::ReportRepeated>(&event.body)) {
    return apply_full({row, boot8(repeated->boot), event.run, repeated->epoch}, repeated->seq);
  } else if (const auto* reported = std::get_if<machine::Reported>(&event.body)) {
    return apply_report(event, *reported, row, stands_for);
  }
  return {};
}

Result<void> Projection::apply_report(const VmEvent& event, const machine::Reported& reported, std::uint64_t row, const Gaps& stands_for) {
  const auto& report = reported.report;
  const StreamKey key{row, boot8(report.boot), event.run, report.epoch};
  if (reported.partial) {
    TRY(found, stream(key));
    if (found->take_partial(report.seq, event.seq) == Offer::fresh) partials_.push_back({key, report.seq, event.seq});
    changed_.insert(key);
    return {};
  }
  for (const auto& [first, last] : stands_for.ranges())
    for (Seq seq = first; seq <= last; ++seq) TRY_VOID(apply_full(key, seq));
  TRY_VOID(apply_full(key, report.seq));
  if (const auto* dropped = std::get_if<protocol::DroppedReport>(&report.body)) streams_.at(key).gaps.remove(dropped->first_seq, dropped->last_seq);
  const auto* crash = std::get_if<protocol::CrashReport>(&report.body);
  const auto origin = crash == nullptr ? std::nullopt : foreign_origin(*crash, key);
  return origin ? apply_origin(*origin) : Result<void>();
}

Result<void> Projection::apply_full(const StreamKey& key, Seq seq) {
  TRY(found, stream(key));
  EventSeq replaced = 0;
  found->take_full(seq, replaced);
  if (replaced != 0) partials_.push_back({key, seq, 0});
  changed_.insert(key);
  return {};
}

Result<void> Projection::apply_origin(const Origin& origin) {
  origins_.insert(origin);
  TRY(keys, streams_of_boot(origin.instance, origin.boot8));
  for (const auto& key : keys) {
    TRY(earlier, stream(key));
    if (earlier->partials.erase(origin.seq) == 0) continue;
    partials_.push_back({key, origin.seq, 0});
  }
  return {};
}

/// The file has it: now the memory may. What was applied is emptied, so that it cannot be written twice.
void Projection::keep() {
  for (const auto& key : changed_) store_.streams.insert_or_assign(key, std::move(streams_.at(key)));
  for (const auto& [id, known] : instances_) {
    const auto owner = store_.names.find(known.name);
    if (known.removed && owner != store_.names.end() && owner->second == id) store_.names.erase(owner);
    store_.instances.insert_or_assign(id, known);
  }
  for (const auto& [id, known] : instances_)
    if (!known.removed) store_.names.insert_or_assign(known.name, id);
  for (const auto& change : rows_)
    std::visit(Overloaded{[&](const LastRun& row) { store_.forget_streams(row.row); }, [&](const RemovedAt& row) { store_.forget_streams(row.row); },
                          [](const NewInstance&) {}, [](const Token&) {}},
               change);
  instances_.clear();
  streams_.clear();
  changed_.clear();
  rows_.clear();
  partials_.clear();
  origins_.clear();
}

}  // namespace vigil::store
