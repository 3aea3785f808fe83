// The last screen of a failed sign-in, made fit for a report: addresses, tokens and codes are blotted out.
//
// Shape:  pure. Of an address its scheme and host stay; a run of 20 or more token characters and a code of the form ABCD-1234 become "[...]"; so does the rest of an
//         address in the lines after it.
#pragma once

#include "guest/signin/cells.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace vigil::guest::signin {

/// At most max_bytes, the last lines; without the empty ones around them.
std::string redacted_screen(const std::vector<Line>& lines, std::size_t max_bytes);
std::string redacted_line(std::string_view line);

}  // namespace vigil::guest::signin
