// Adding an event to a batch: is it known already, whose is it, which number does it get.
#include "host/store/batch_state.hpp"

namespace vigil::store {

using machine::Reported;
using machine::VmEvent;
using protocol::CrashReport;

namespace {

constexpr Admission accepted{Admission::Kind::accepted, 0};
constexpr Admission conflict{Admission::Kind::conflict, 0};
constexpr std::uint64_t host_row = 0;   // of events that are of no instance; rows begin at 1

}  // namespace

Result<void> BatchState::append(VmEvent& event, std::uint64_t row) {
  event.seq = next_seq();
  auto stands_for = thin_out_health(event, row);
  TRY_VOID(projection_.apply(event, row, stands_for));
  encoded_.push_back(std::make_shared<const machine::EncodedEvent>(machine::encode_event(event)));
  rows_.push_back({row, std::move(stands_for)});
  note_life(event, row);
  return {};
}

Result<Admission> BatchState::add_created(VmEvent& event, const machine::InstanceSpec& spec) {
  TRY(known, projection_.instance(event.instance));
  if (known || projection_.is_name_taken(spec.name)) return conflict;
  const auto row = store_.next_instance_row++;
  new_rows_.emplace_back(row, event.instance);
  TRY_VOID(append(event, row));
  return accepted;
}

Result<Admission> BatchState::add(VmEvent& event) {
  if (const auto* created = std::get_if<machine::Created>(&event.body)) return add_created(event, created->spec);
  if (event.instance.value().empty() && std::holds_alternative<machine::Reconciled>(event.body)) {
    TRY_VOID(append(event, host_row));
    return accepted;
  }
  TRY(known, projection_.instance(event.instance));
  if (!known) return conflict;
  if (std::holds_alternative<Reported>(event.body)) return add_reported(event, known->row);
  TRY_VOID(append(event, known->row));
  return accepted;
}

Result<Admission> BatchState::add_reported(VmEvent& event, std::uint64_t row) {
  const auto& report = std::get<Reported>(event.body).report;
  const StreamKey key{row, boot8(report.boot), event.run, report.epoch};
  TRY(kind, std::get<Reported>(event.body).partial ? admit_partial(report.seq, key) : admit_full(event, key));
  if (kind == Admission::Kind::accepted) TRY_VOID(append(event, row));
  TRY(stream, projection_.stream(key));
  return Admission{kind, stream->gaps.count()};
}

Result<Admission::Kind> BatchState::admit_partial(Seq seq, const StreamKey& key) {
  TRY(found, projection_.stream(key));
  switch (found->offer_partial(seq)) {
    case Offer::fresh: break;
    case Offer::known: return Admission::Kind::duplicate;
    case Offer::too_many: return Admission::Kind::over_limit;
  }
  return Admission::Kind::accepted;
}

Result<Admission::Kind> BatchState::admit_full(VmEvent& event, const StreamKey& key) {
  auto& reported = std::get<Reported>(event.body);
  const auto& report = reported.report;
  TRY(found, projection_.stream(key));
  if (found->knows(report.seq)) return Admission::Kind::duplicate;
  const auto partial = found->partials.find(report.seq);
  machine::EventSeq replaced = partial == found->partials.end() ? 0 : partial->second;
  const auto* crash = std::get_if<CrashReport>(&report.body);
  if (const auto origin = crash == nullptr ? std::nullopt : foreign_origin(*crash, key)) {
    TRY(was_told, is_told(*origin, replaced));
    if (was_told) {
      event.body = machine::EventBody(machine::ReportRepeated{report.boot, report.epoch, report.seq, crash->origin->first, crash->origin->second});
      return Admission::Kind::accepted;
    }
  }
  reported.replaces = replaced;
  return Admission::Kind::accepted;
}

Result<bool> BatchState::is_told(const Origin& origin, machine::EventSeq& replaced) {
  TRY(is_known, projection_.is_origin_known(origin));
  if (is_known) return true;
  TRY(keys, projection_.streams_of_boot(origin.instance, origin.boot8));
  for (const auto& key : keys) {
    TRY(earlier, projection_.stream(key));
    if (earlier->knows(origin.seq)) return true;
    const auto partial = earlier->partials.find(origin.seq);
    if (partial != earlier->partials.end()) replaced = partial->second;
  }
  return false;
}

}  // namespace vigil::store
