// The lines that are spoken on the agent's control socket. Pure.
//
// Errors: Errc::invalid, and Errc::denied for an operation that only the host may ask.
#pragma once

#include "shared/base/result.hpp"
#include "shared/protocol/control.hpp"

#include <string>
#include <string_view>

namespace vigil::guest::control {

inline constexpr std::size_t max_line_bytes = 4096;

Result<protocol::Request> parse_question(std::string_view line);
std::string encode_question(const std::string& op, const std::string& args_json);
/// With the line's end.
std::string encode_answer(const Result<std::string>& result_json);
/// The result's JSON, or the problem as an Error.
Result<std::string> parse_answer(std::string_view line);

}  // namespace vigil::guest::control
