#include "shared/protocol/cause.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace vigil::protocol {

namespace {

constexpr CauseRow rows[] = {
#define VIGIL_CAUSE(enumerator, code, severity, fields, sentence, advice) \
  CauseRow{CauseCode::enumerator, code, Severity::severity, fields, sentence, advice},
#include "shared/protocol/cause_rows.inc"
#undef VIGIL_CAUSE
};

constexpr std::string_view enumerator_texts[] = {
#define VIGIL_CAUSE(enumerator, code, severity, fields, sentence, advice) #enumerator,
#include "shared/protocol/cause_rows.inc"
#undef VIGIL_CAUSE
};

// The table is checked while it is compiled: a wrong row does not build.

constexpr bool all_codes_differ() {
  for (std::size_t i = 0; i < std::size(rows); ++i)
    for (std::size_t j = i + 1; j < std::size(rows); ++j)
      if (rows[i].text == rows[j].text) return false;
  return true;
}

/// The enumerator is the code with its dots as underscores, so that one search finds both.
constexpr bool enumerators_spell_their_codes() {
  for (std::size_t i = 0; i < std::size(rows); ++i) {
    if (rows[i].text.size() != enumerator_texts[i].size()) return false;
    for (std::size_t at = 0; at < rows[i].text.size(); ++at) {
      const char letter = rows[i].text[at];
      if ((letter == '.' ? '_' : letter) != enumerator_texts[i][at]) return false;
    }
  }
  return true;
}

constexpr bool declares(std::string_view fields, std::string_view name) {
  while (!fields.empty()) {
    const auto end = std::min(fields.find(' '), fields.size());
    if (fields.substr(0, end) == name) return true;
    fields.remove_prefix(std::min(end + 1, fields.size()));
  }
  return false;
}

constexpr bool placeholders_are_declared(std::string_view text, std::string_view fields) {
  for (auto open = text.find('{'); open != text.npos; open = text.find('{', open + 1)) {
    const auto close = text.find('}', open);
    if (close == text.npos || !declares(fields, text.substr(open + 1, close - open - 1))) return false;
  }
  for (auto open = text.find('['); open != text.npos; open = text.find('[', open + 1))
    if (text.find(']', open) == text.npos) return false;
  return true;
}

constexpr bool every_row_is_sound() {
  for (const auto& row : rows) {
    if (row.sentence.empty() || !placeholders_are_declared(row.sentence, row.fields)) return false;
    if (!placeholders_are_declared(row.advice, row.fields)) return false;
  }
  return true;
}

static_assert(all_codes_differ());
static_assert(enumerators_spell_their_codes());
static_assert(every_row_is_sound(), "a {placeholder} of a sentence or an advice is not a declared field");

std::string fill(std::string_view text, const Cause& cause);

/// "[ in {function}]": left out where a field of it is missing.
std::string fill_optional(std::string_view text, const Cause& cause) {
  for (auto open = text.find('{'); open != text.npos; open = text.find('{', open + 1))
    if (!field_text(cause, std::string(text.substr(open + 1, text.find('}', open) - open - 1)))) return {};
  return fill(text, cause);
}

std::string fill(std::string_view text, const Cause& cause) {
  std::string filled;
  while (!text.empty()) {
    const auto open = std::min(text.find_first_of("{["), text.size());
    filled += text.substr(0, open);
    text.remove_prefix(open);
    if (text.empty()) break;
    const auto close = text.find(text.front() == '[' ? ']' : '}');   // there is one: every_row_is_sound()
    if (text.front() == '[') {
      filled += fill_optional(text.substr(1, close - 1), cause);
      text.remove_prefix(close + 1);
      continue;
    }
    filled += field_text(cause, std::string(text.substr(1, close - 1))).value_or("?");
    text.remove_prefix(close + 1);
  }
  return filled;
}

}  // namespace

std::span<const CauseRow> cause_table() { return rows; }

const CauseRow* find_cause(std::string_view text) {
  const auto row = std::find_if(std::begin(rows), std::end(rows), [&](const CauseRow& each) { return each.text == text; });
  return row == std::end(rows) ? nullptr : row;
}

const CauseRow& cause_row(CauseCode code) {
  const auto index = static_cast<std::size_t>(code);
  if (index >= std::size(rows)) std::abort();   // `unlisted` has no row: the caller did not look
  return rows[index];
}

Cause make_cause(CauseCode code, std::map<std::string, CauseField> fields, std::vector<std::string> evidence) {
  return Cause{code, std::string(cause_row(code).text), std::move(fields), std::move(evidence)};
}

std::optional<std::string> field_text(const Cause& cause, const std::string& name) {
  const auto field = cause.fields.find(name);
  if (field == cause.fields.end()) return std::nullopt;
  if (const auto* number = std::get_if<std::int64_t>(&field->second)) return std::to_string(*number);
  return std::get<std::string>(field->second);
}

std::string sentence(const Cause& cause) {
  return cause.code == CauseCode::unlisted ? cause.text : fill(cause_row(cause.code).sentence, cause);
}

std::string advice(const Cause& cause) {
  return cause.code == CauseCode::unlisted ? std::string() : fill(cause_row(cause.code).advice, cause);
}

Severity severity(const Cause& cause) { return cause.code == CauseCode::unlisted ? Severity::error : cause_row(cause.code).severity; }

}  // namespace vigil::protocol
