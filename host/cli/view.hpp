// How things look on a terminal. Everything that may stem from a guest goes through safe().
//
// Shape:  text() and number() read members of the daemon's JSON and give "" or 0 for what is absent or null: a client shows what there is.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::cli {

std::string safe(std::string_view bytes);                                  // one line, control characters as \xNN
std::string text(const nlohmann::json& object, const char* key);           // numbers and booleans in their JSON form
std::int64_t number(const nlohmann::json& object, const char* key);
bool is_true(const nlohmann::json& object, const char* key);

/// Columns as wide as their widest cell; the first row is the heading.
void print_table(const std::vector<std::vector<std::string>>& rows);

std::string milliseconds(std::int64_t ms);                                 // "41 ms", "6.3 s"
std::string ago(std::int64_t unix_us);                                     // "3 min ago"
std::string short_image(std::string_view reference);                       // "minimal@1a2b3c4d5e6f"

/// "service.port_taken: port 8080 is taken by web (pid 12)", evidence lines, the mend; each line indented.
void print_cause(const nlohmann::json& cause, const std::string& indent);
std::string cause_line(const nlohmann::json& cause);                       // the first of these lines
std::string cause_cell(const nlohmann::json& object);                      // the line of its "cause"; "" when there is none

/// The whole value, pretty-printed, and a newline: what --json prints.
void print_json(const nlohmann::json& value);

bool on_terminal();

}  // namespace vigil::cli
