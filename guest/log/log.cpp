#include "guest/log/log.hpp"

#include <unistd.h>

#include <cstdio>

namespace vigil::guest::log {
namespace {

constexpr std::size_t max_line = 900;
int sink_fd = STDERR_FILENO;
Format sink_format = Format::plain;

bool is_plain(char c) { return c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '='; }

void append_value(std::string& line, std::string_view value) {
  bool bare = !value.empty();
  for (const char c : value) bare = bare && is_plain(c);
  if (bare) {
    line += value;
    return;
  }
  line += '"';
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      char hex[5];
      std::snprintf(hex, sizeof hex, "\\x%02x", byte);
      line += hex;
    } else {
      line += c;
    }
  }
  line += '"';
}

const char* kernel_prefix(Level level) {
  switch (level) {
    case Level::error: return "<3>vigil-guest: ";
    case Level::warning: return "<4>vigil-guest: ";
    case Level::info:
    case Level::debug: return "<7>vigil-guest: ";
  }
  return "";
}

void write_line(Level level, std::string_view event, std::initializer_list<Field> fields) {
  std::string line = sink_format == Format::kernel ? kernel_prefix(level) : "";
  line += make_line(event, fields);
  line += '\n';
  [[maybe_unused]] const auto written = ::write(sink_fd, line.data(), line.size());
}

}  // namespace

void use(int fd, Format format) {
  sink_fd = fd;
  sink_format = format;
}

std::string make_line(std::string_view event, std::initializer_list<Field> fields) {
  std::string line(event);
  for (const Field& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    append_value(line, field.value);
  }
  if (line.size() > max_line) line.replace(max_line - 3, std::string::npos, "...");
  return line;
}

void error(std::string_view event, std::initializer_list<Field> fields) { write_line(Level::error, event, fields); }
void warning(std::string_view event, std::initializer_list<Field> fields) { write_line(Level::warning, event, fields); }
void info(std::string_view event, std::initializer_list<Field> fields) { write_line(Level::info, event, fields); }

}  // namespace vigil::guest::log
