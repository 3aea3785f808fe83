#include "shared/protocol/wire.hpp"

namespace vigil::protocol::wire {

namespace {

json field_to_json(const CauseField& field) {
  if (const auto* value = std::get_if<std::int64_t>(&field)) return std::clamp(*value, -max_json_integer, max_json_integer);
  return text(std::get<std::string>(field), max_field_bytes);
}

/// Of the value, not by its name: a name may hold any byte, a NUL too.
Result<CauseField> parse_field(const json& value) {
  const json holder = {{"value", value}};
  if (value.is_string()) {
    TRY(text, read_string(holder, "value", max_field_bytes));
    return CauseField(std::move(text));
  }
  TRY(number, read_integer(holder, "value", -max_json_integer, max_json_integer));
  return CauseField(number);
}

Result<std::map<std::string, CauseField>> parse_fields(const json& object) {
  std::map<std::string, CauseField> fields;
  const auto member = object.find("fields");
  if (member == object.end()) return fields;
  if (!member->is_object()) return Error(Errc::invalid, "fields: not an object");
  if (member->size() > max_cause_fields) return Error(Errc::limit, "fields: more than " + std::to_string(max_cause_fields));
  for (const auto& [name, value] : member->items()) {
    Result<CauseField> field = parse_field(value);
    if (!field) return field.error().with_context("fields." + to_valid_utf8(name, 64));
    fields.emplace(name, std::move(*field));
  }
  return fields;
}

}  // namespace

json to_json(const Cause& cause) {
  json fields = json::object();
  for (const auto& [name, value] : cause.fields)
    if (fields.size() < max_cause_fields) fields[to_valid_utf8(name, 64)] = field_to_json(value);
  return object_of("code", text(cause.text, 64), "fields", std::move(fields), "evidence",
                   texts(cause.evidence, max_evidence_lines, max_evidence_bytes));
}

Result<Cause> parse_cause(const json& object) {
  TRY(code, read_string(object, "code", 64));
  TRY(fields, parse_fields(object));
  TRY(evidence, read_texts_or_none(object, "evidence", max_evidence_lines, max_evidence_bytes));
  const CauseRow* const row = find_cause(code);
  return Cause{row == nullptr ? CauseCode::unlisted : row->code, std::move(code), std::move(fields), std::move(evidence)};
}

Result<std::optional<Cause>> read_cause_if_any(const json& object, const char* key) {
  const auto member = object.find(key);
  if (member == object.end()) return std::optional<Cause>();
  auto cause = parse_cause(*member);
  if (!cause) return cause.error().with_context(key);
  return std::optional<Cause>(std::move(*cause));
}

}  // namespace vigil::protocol::wire
