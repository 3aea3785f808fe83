#include "guest/signin/redaction.hpp"

#include <algorithm>

namespace vigil::guest::signin {

namespace {

constexpr std::string_view blot = "[...]";
constexpr std::size_t shortest_token = 20;
constexpr std::string_view token_characters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/#@$&*+,;=%?:";

bool is_code_half(std::string_view text) {
  return text.size() >= 3 && text.size() <= 8 &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); });
}

/// "ABCD-1234": what a device is signed in with.
bool is_code(std::string_view word) {
  const auto dash = word.find('-');
  return dash != std::string_view::npos && is_code_half(word.substr(0, dash)) && is_code_half(word.substr(dash + 1));
}

/// Of an address nothing that follows its host.
std::string without_path(std::string_view word) {
  const auto host = word.find("://") + 3;
  const auto end = word.find_first_of("/?#@", host);
  if (end == std::string_view::npos) return std::string(word);
  if (word[end] == '@') return std::string(word.substr(0, host)) + std::string(blot);
  return std::string(word.substr(0, end)) + "/" + std::string(blot);
}

std::string redacted_word(std::string_view word) {
  if (word.find("://") != std::string_view::npos) return without_path(word);
  if (word.size() >= shortest_token || is_code(word)) return std::string(blot);
  return std::string(word);
}

}  // namespace

std::string redacted_line(std::string_view line) {
  std::string out;
  while (!line.empty()) {
    const auto length = std::min(line.find_first_not_of(token_characters), line.size());
    if (length == 0) {
      out += line.front();
      line.remove_prefix(1);
      continue;
    }
    out += redacted_word(line.substr(0, length));
    line.remove_prefix(length);
  }
  return out;
}

std::string redacted_screen(const std::vector<Line>& lines, std::size_t max_bytes) {
  std::string text;
  bool in_address = false, goes_on = false;
  for (const auto& line : lines) {
    const std::string_view raw = line.text;
    const auto first = raw.find_first_not_of(' ');
    const auto word = first == std::string_view::npos ? std::string_view() : raw.substr(first);
    const bool is_one_word = !word.empty() && word.find_first_not_of(token_characters) == std::string_view::npos;
    const bool is_rest = goes_on || (in_address && is_one_word);
    const auto rest = std::min(word.find_first_not_of(token_characters), word.size());
    text += is_rest && in_address ? std::string(blot) + redacted_line(word.substr(rest)) : redacted_line(raw);
    text += '\n';
    const auto scheme = raw.rfind("://");
    const bool ends_inside = scheme != std::string_view::npos && raw.find(' ', scheme) == std::string_view::npos;
    in_address = ends_inside || (is_rest && in_address && (is_one_word || line.wrapped));
    goes_on = line.wrapped;
  }
  const auto first_line = text.find_first_not_of('\n'), last_line = text.find_last_not_of('\n');
  if (first_line == std::string::npos) return "";
  text = text.substr(first_line, last_line + 2 - first_line);
  if (text.size() > max_bytes) text.erase(0, text.find('\n', text.size() - max_bytes) + 1);
  return text;
}

}  // namespace vigil::guest::signin
