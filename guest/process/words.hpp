// The kernel's tables as words and numbers: lines of /proc are words between blanks.
#pragma once

#include <algorithm>
#include <charconv>
#include <string_view>
#include <vector>

namespace vigil::guest::process {

/// The words of `text`, which must outlive them.
inline std::vector<std::string_view> words_of(std::string_view text) {
  constexpr std::string_view blanks = " \n";
  std::vector<std::string_view> words;
  for (;;) {
    const std::size_t begin = text.find_first_not_of(blanks);
    if (begin == std::string_view::npos) return words;
    const std::size_t end = std::min(text.find_first_of(blanks, begin), text.size());
    words.push_back(text.substr(begin, end - begin));
    text.remove_prefix(end);
  }
}

/// True when all of `text` is a number of that base that fits.
template <class Number>
bool parse_whole(std::string_view text, Number& number, int base = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace vigil::guest::process
