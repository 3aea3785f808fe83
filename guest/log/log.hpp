// The agent's own log: one line a fact, "event key=value ...", to stderr or to the kernel's log.
//
// Shape:  values with blanks or quotes are quoted, control bytes become \xNN; a line is cut at 900 bytes so that one write is one kernel log record.
//         In the kernel's log, info and debug stay off the console (level 7): the console is for records, the boot report and trouble.
// Errors: none; a line that cannot be written is lost. Never a secret: values of GuestConfig::secrets and tokens are not passed here.
// Source: style.md §3.5; Documentation/ABI/testing/dev-kmsg.
#pragma once

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

namespace vigil::guest::log {

enum class Level { error, warning, info, debug };
enum class Format { plain, kernel };   // kernel: "<N>" before each line

struct Field {
  Field(std::string_view field_key, std::string_view text) : key(field_key), value(text) {}
  Field(std::string_view field_key, std::integral auto number) : key(field_key), value(std::to_string(number)) {}
  std::string_view key;
  std::string value;
};

/// Where lines go from now on; the descriptor stays the caller's. At first: stderr, plain.
void use(int fd, Format format);

std::string make_line(std::string_view event, std::initializer_list<Field> fields);

void error(std::string_view event, std::initializer_list<Field> fields = {});
void warning(std::string_view event, std::initializer_list<Field> fields = {});
void info(std::string_view event, std::initializer_list<Field> fields = {});

}  // namespace vigil::guest::log
