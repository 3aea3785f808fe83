#include "guest/signin/screen_answers.hpp"

#include <algorithm>
#include <string>

namespace vigil::guest::signin {

namespace {

/// Box-drawing characters are E2 94 xx and E2 95 xx in UTF-8.
bool is_frame(std::string_view text, std::size_t at) {
  return text[at] == '\xe2' && at + 2 < text.size() && (text[at + 1] == '\x94' || text[at + 1] == '\x95');
}

/// Words in a row, whatever frame and line breaks are between them.
void append_flat(std::string& flat, std::string_view text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool frame = is_frame(text, at);
    if (frame) at += 2;
    if (!frame && text[at] != ' ' && text[at] != '|')
      flat += text[at];
    else if (!flat.empty() && flat.back() != ' ')
      flat += ' ';
  }
}

std::string flat_lines(const std::vector<Line>& lines) {
  std::string flat;
  for (const auto& line : lines) {
    append_flat(flat, line.text);
    if (!line.wrapped) append_flat(flat, " ");
  }
  return flat;
}

}  // namespace

const vigil::signin::ScreenAnswer* ScreenAnswers::match(const std::vector<Line>& lines) const {
  if (given_.empty()) return nullptr;
  const auto text = flat_lines(lines);
  const auto is_there = [&text](std::string_view part) { return text.find(part) != std::string::npos; };
  for (std::size_t i = 0; i < given_.size(); ++i) {
    const auto& answer = provider_.answers[i];
    if (given_[i] >= answer.times || !std::all_of(answer.shows.begin(), answer.shows.end(), is_there) ||
        std::any_of(answer.not_with.begin(), answer.not_with.end(), is_there))
      continue;
    return &answer;
  }
  return nullptr;
}

void ScreenAnswers::count(const vigil::signin::ScreenAnswer& given) {
  ++given_[static_cast<std::size_t>(&given - provider_.answers.data())];
}

bool ScreenAnswers::says_signed_in(const std::vector<Line>& lines) const {
  const auto text = flat_lines(lines);
  return std::any_of(provider_.signed_in_texts.begin(), provider_.signed_in_texts.end(),
                     [&text](std::string_view part) { return text.find(part) != std::string::npos; });
}

}  // namespace vigil::guest::signin
