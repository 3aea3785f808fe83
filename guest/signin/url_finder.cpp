#include "guest/signin/url_finder.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace vigil::guest::signin {

namespace {

constexpr std::string_view scheme = "https://";
/// Of an address's characters those that can stand in one here: a bracket or a quote ends it.
constexpr std::string_view url_characters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:/?#@!$&*+,;=%";
/// What frames are drawn with, and blanks.
constexpr std::string_view frame_ascii = " |";
/// Columns that a program's own frame and padding leave free: an address that ends earlier was not broken.
constexpr std::size_t widest_margin = 12;

std::size_t run_length(std::string_view text) { return std::min(text.find_first_not_of(url_characters), text.size()); }

/// Without the frame around it and the blanks within: box-drawing characters are E2 94 xx and E2 95 xx in UTF-8.
std::string_view without_frame(std::string_view text) {
  const auto is_box = [](std::string_view three) {
    return three.size() == 3 && three[0] == '\xe2' && (three[1] == '\x94' || three[1] == '\x95');
  };
  for (bool again = true; again;) {
    again = false;
    if (!text.empty() && frame_ascii.find(text.front()) != std::string_view::npos)
      text.remove_prefix(1), again = true;
    else if (is_box(text.substr(0, 3)))
      text.remove_prefix(3), again = true;
    if (!text.empty() && frame_ascii.find(text.back()) != std::string_view::npos)
      text.remove_suffix(1), again = true;
    else if (text.size() >= 3 && is_box(text.substr(text.size() - 3)))
      text.remove_suffix(3), again = true;
  }
  return text;
}

struct Joined {
  std::string text;
  bool by_terminal = false;         // of several rows
};

std::vector<Joined> join_wrapped(const std::vector<Line>& lines) {
  std::vector<Joined> joined;
  bool goes_on = false;
  for (const auto& line : lines) {
    if (goes_on && joined.back().text.size() < 4 * vigil::signin::max_url_bytes)
      joined.back() = {joined.back().text + line.text, true};
    else
      joined.push_back({line.text});
    goes_on = line.wrapped;
  }
  return joined;
}

std::size_t characters_in(std::string_view utf8) {
  return static_cast<std::size_t>(
      std::count_if(utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

/// The column after `part`, which lies within `line`.
std::size_t end_column(std::string_view line, std::string_view part) {
  return characters_in(line.substr(0, static_cast<std::size_t>(part.data() - line.data()) + part.size()));
}

/// The address that begins at `at` of line `row`, with the lines that the program broke it over.
std::string assemble(const std::vector<Joined>& lines, std::size_t row, std::size_t at, std::size_t columns) {
  const std::string_view line = lines[row].text;
  const auto begun = line.substr(at, run_length(line.substr(at)));
  std::string url(begun);
  const std::size_t full = end_column(line, begun);
  const bool may_go_on =
      !lines[row].by_terminal && full + widest_margin >= columns && without_frame(line.substr(at + begun.size())).empty();
  for (std::size_t next = row + 1; may_go_on && next < lines.size() && url.size() <= vigil::signin::max_url_bytes; ++next) {
    const std::string_view whole = lines[next].text;
    const auto part = without_frame(whole);
    if (part.empty() || run_length(part) != part.size() || part.starts_with(scheme) || end_column(whole, part) > full) break;
    url += part;
    if (end_column(whole, part) < full) break;   // not filled: its last one
  }
  return url;
}

/// A sentence's punctuation after an address is not its own.
std::string_view without_full_stop(std::string_view url) {
  while (!url.empty() &&
         (url.back() == '.' || url.back() == ',' || url.back() == ';' || url.back() == ':' || url.back() == '!' || url.back() == '?'))
    url.remove_suffix(1);
  return url;
}

template <typename Take>
void for_each_address(const std::vector<Line>& lines, std::size_t columns, Take take) {
  const auto joined = join_wrapped(lines);
  for (std::size_t row = 0; row < joined.size(); ++row)
    for (auto at = joined[row].text.find(scheme); at != std::string::npos; at = joined[row].text.find(scheme, at + scheme.size())) {
      const auto assembled = assemble(joined, row, at, columns);
      take(std::string(without_full_stop(assembled)));
    }
}

}  // namespace

std::vector<std::string> find_urls(const vigil::signin::ProviderRow& provider, const std::vector<Line>& lines, std::size_t columns) {
  std::vector<std::string> found;
  for_each_address(lines, columns, [&](const std::string& url) {
    if (vigil::signin::is_sign_in_url(provider, url) && std::find(found.begin(), found.end(), url) == found.end()) found.push_back(url);
  });
  return found;
}

std::vector<std::string> find_differences(const vigil::signin::ProviderRow& provider, const std::vector<Line>& lines, std::size_t columns) {
  std::vector<std::string> found;
  for_each_address(lines, columns, [&](const std::string& url) {
    const auto difference = vigil::signin::address_difference(provider, url);
    if (difference && std::find(found.begin(), found.end(), *difference) == found.end()) found.push_back(*difference);
  });
  return found;
}

std::uint16_t callback_port_of(std::string_view url) {
  constexpr std::string_view key = "redirect_uri=";
  const auto at = url.find(key);
  if (at == std::string_view::npos) return 0;
  const auto value = url.substr(at + key.size(), url.find('&', at) - at - key.size());
  for (const std::string_view local :
       {"http%3A%2F%2Flocalhost%3A", "http%3A%2F%2F127.0.0.1%3A", "http://localhost:", "http://127.0.0.1:"}) {
    if (value.size() < local.size() ||
        !std::equal(local.begin(), local.end(), value.begin(), [](char a, char b) { return (a | 32) == (b | 32); }))
      continue;
    std::uint16_t port = 0;
    const auto digits = value.substr(local.size());
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    return read.ec == std::errc() ? port : std::uint16_t{0};
  }
  return 0;
}

}  // namespace vigil::guest::signin
