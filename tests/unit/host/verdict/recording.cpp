#include "tests/unit/host/verdict/recording.hpp"

#include "host/machine/event_codec.hpp"
#include "host/machine/reduce.hpp"
#include "host/verdict/verdict.hpp"
#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>
#include <stdexcept>

namespace vigil::machine::test {

using nlohmann::json;

namespace {

std::string recording_path(const std::string& file) { return std::string(VIGIL_GOLDEN_DIR) + "/faultlab/" + file; }

json parsed_line(const std::string& text) {
  const auto value = parse_json(text);
  if (!value) throw std::runtime_error("a recording is no JSON: " + text.substr(0, 80));
  return *value;
}

void collect_codes(const json& value, std::set<std::string>& codes) {
  if (value.is_object() && value.contains("code") && value["code"].is_string()) codes.insert(value["code"].get<std::string>());
  if (value.is_structured())
    for (const auto& member : value) collect_codes(member, codes);
}

RecordedEvent recorded(const json& object) {
  EncodedEvent encoded;
  encoded.seq = object["seq"].get<EventSeq>();
  encoded.instance = InstanceId(object["instance"].get<std::string>());
  encoded.run = RunNumber(object["run"].get<std::uint32_t>());
  encoded.type = object["type"].get<std::string>();
  encoded.at_unix_us = object["at_unix_us"].get<UnixUs>();
  encoded.mono_us = object["mono_us"].get<MonoUs>();
  encoded.body = dump_json(object["body"]);
  auto event = decode_event(encoded);
  if (!event) throw std::runtime_error("a recorded event cannot be read: " + encoded.body.substr(0, 80));
  RecordedEvent result{encoded.type, {}, std::move(*event)};
  if (encoded.type == "console_finding") result.kind += " " + object["body"]["kind"].get<std::string>();
  collect_codes(object["body"], result.codes);
  return result;
}

/// Calls `look` with each verdict that the run has had.
template <class Look>
void replay(const RecordedRow& recording, const Missing& missing, const Look& look) {
  VmState state;
  for (const auto& each : recording.events) {
    if (std::holds_alternative<StateChanged>(each.event.body) || (missing && missing(each))) continue;
    reduce(state, each.event);
    const auto verdict = verdict::classify(state);
    if (verdict.main) look(*verdict.main);
    for (const auto& finding : verdict.also) look(finding);
  }
}

}  // namespace

std::vector<RecordedEvent> load_recording(const std::string& name) {
  std::ifstream file(recording_path(name + ".jsonl"));
  if (!file.good()) throw std::runtime_error("there is no recording of " + name);
  std::vector<RecordedEvent> events;
  for (std::string line; std::getline(file, line);) events.push_back(recorded(parsed_line(line)));
  return events;
}

void RecordedRow::load() { events = load_recording(name); }

std::set<std::string> RecordedRow::said(const Missing& missing) const {
  std::set<std::string> codes;
  replay(*this, missing, [&](const verdict::Finding& finding) { codes.insert(finding.cause.text); });
  return codes;
}

std::set<std::string> RecordedRow::seen(const Missing& missing) const {
  std::set<std::string> texts;
  replay(*this, missing, [&](const verdict::Finding& finding) {
    if (const auto text = protocol::field_text(finding.cause, "seen")) texts.insert(*text);
  });
  return texts;
}

bool RecordedRow::names_its_cause() const {
  bool named = false;
  replay(*this, {}, [&](const verdict::Finding& finding) {
    named |= finding.cause.text == code && (service.empty() || (finding.service && finding.service->value() == service));
  });
  return named;
}

bool RecordedRow::is_reported() const {
  return std::any_of(events.begin(), events.end(), [&](const RecordedEvent& each) {
    return !std::holds_alternative<StateChanged>(each.event.body) && each.carries(code);
  });
}

std::set<std::string> RecordedRow::kinds() const {
  const std::set<std::string> frame{"created", "start_requested", "vmm_started", "link_up", "token_bound", "clock_synced", "state"};
  std::set<std::string> kinds;
  for (const auto& each : events)
    if (!frame.contains(each.kind)) kinds.insert(each.kind);
  return kinds;
}

std::vector<RecordedRow> recorded_rows() {
  std::ifstream file(recording_path("rows.jsonl"));
  std::vector<RecordedRow> recordings;
  for (std::string line; std::getline(file, line);) {
    const auto row = parsed_line(line);
    const auto name = row["row"].get<std::string>();
    recordings.push_back({name, row["code"].get<std::string>(), row["service"].get<std::string>(), {}});
  }
  return recordings;
}

}  // namespace vigil::machine::test
