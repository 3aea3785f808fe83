// The named causes: why something is not as it should be.
//
// Shape:  a cause is a stable dotted code, the fields that its row declares (its subject), and the evidence lines that led to it. The table gives each
//         code its severity, one plain sentence and advice, both with {field} placeholders.
// Errors: a code from the wire that this build does not know is kept with its text (code == CauseCode::unlisted), never mapped to a neighbour.
// Source: CONTRACTS "Cause codes". Add freely, rename never.
#pragma once

#include "shared/base/enum_names.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace vigil::protocol {

/// One enumerator a row of cause_table(); `unknown` is a verdict ("seen, but not understood"), `unlisted` a code of a newer peer.
enum class CauseCode : std::uint16_t {
#define VIGIL_CAUSE(enumerator, code, severity, fields, sentence, advice) enumerator,
#include "shared/protocol/cause_rows.inc"
#undef VIGIL_CAUSE
  unlisted,
};

enum class Severity { info, warning, error, fatal };

struct CauseRow {
  CauseCode code;
  std::string_view text;       // "service.port_taken"
  Severity severity;
  std::string_view fields;     // "port holder": space-separated names of its subject
  std::string_view sentence;  // "port {port} is taken by {holder}"; "[ in {function}]" is left out where the field is missing
  std::string_view advice;     // "stop {holder}, or give the service another port"
};

std::span<const CauseRow> cause_table();
const CauseRow* find_cause(std::string_view text);   // nullptr: not in this build's table
const CauseRow& cause_row(CauseCode code);           // not for `unlisted`

using CauseField = std::variant<std::int64_t, std::string>;

struct Cause {
  CauseCode code = CauseCode::unknown;
  std::string text;                            // as on the wire; the only truth when code == unlisted
  std::map<std::string, CauseField> fields;    // at most 16; values at most 1024 bytes
  std::vector<std::string> evidence;           // at most 16 lines of at most 512 bytes, most telling first
  friend bool operator==(const Cause&, const Cause&) = default;
};

Cause make_cause(CauseCode code, std::map<std::string, CauseField> fields = {}, std::vector<std::string> evidence = {});
std::optional<std::string> field_text(const Cause& cause, const std::string& name);   // numbers in decimal
std::string sentence(const Cause& cause);   // placeholders filled; a missing field reads "?"; the text itself when unlisted
std::string advice(const Cause& cause);
Severity severity(const Cause& cause);      // error when unlisted

}  // namespace vigil::protocol

namespace vigil {
template <> inline constexpr auto enum_table<protocol::Severity> = make_enum_table<protocol::Severity>({
    {protocol::Severity::info, "info"}, {protocol::Severity::warning, "warning"}, {protocol::Severity::error, "error"},
    {protocol::Severity::fatal, "fatal"}});
}  // namespace vigil
