#include "guest/signin/callback_watch.hpp"

#include "guest/process/small_file.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace vigil::guest::signin {

namespace {

constexpr std::size_t max_table_bytes = 256 * 1024, max_callers = 256;
enum : unsigned { established = 1, fin_wait_1 = 4, fin_wait_2 = 5, time_wait = 6, close_wait = 8, last_ack = 9, closing = 11 };

bool was_connected(unsigned state) {
  return state == established || (state >= fin_wait_1 && state <= time_wait) || state == close_wait || state == last_ack ||
         state == closing;
}

std::string_view next_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  const auto word = line.substr(0, line.find(' '));
  line.remove_prefix(word.size());
  return word;
}

unsigned hexadecimal(std::string_view text) {
  unsigned value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return value;
}

}  // namespace

std::set<std::string> callers_of(std::string_view table, std::uint16_t port) {
  std::set<std::string> callers;
  while (!table.empty()) {
    auto line = table.substr(0, table.find('\n'));
    table.remove_prefix(std::min(table.size(), line.size() + 1));
    const std::array<std::string_view, 4> words = {next_word(line), next_word(line), next_word(line),
                                                   next_word(line)};   // number, local, remote, state
    const auto colon = words[1].rfind(':');
    if (colon == std::string_view::npos || hexadecimal(words[1].substr(colon + 1)) != port) continue;
    if (was_connected(hexadecimal(words[3])) && callers.size() < max_callers) callers.emplace(words[2]);
  }
  return callers;
}

std::set<std::string> CallbackWatch::callers() const {
  std::set<std::string> all;
  for (const char* const file : {"/proc/net/tcp", "/proc/net/tcp6"})
    if (const auto table = process::read_small_file(file, max_table_bytes)) all.merge(callers_of(*table, port_));
  return all;
}

bool CallbackWatch::has_been_called() const {
  const auto now = callers();
  return std::any_of(now.begin(), now.end(), [this](const std::string& caller) { return !earlier_.contains(caller); });
}

}  // namespace vigil::guest::signin
