#include "guest/signin/screen.hpp"

#include <algorithm>
#include <utility>

namespace vigil::guest::signin {

namespace {
constexpr std::size_t max_answers = 4 * 1024, max_links = 16;
constexpr int tab_width = 8;
}  // namespace

Screen::Screen(std::uint16_t rows, std::uint16_t columns) : cells_(rows, columns), bottom_(cells_.rows()) {}

std::string Screen::take_answers() { return std::exchange(answers_, {}); }

std::vector<std::string> Screen::take_links() { return std::exchange(links_, {}); }

void Screen::answer(std::string_view text) {
  if (answers_.size() + text.size() <= max_answers) answers_ += text;
}

void Screen::move_to(int row, int column) {
  cursor_ = {std::clamp(row, 0, cells_.rows() - 1), std::clamp(column, 0, cells_.columns() - 1)};
  wraps_next_ = false;
}

void Screen::character(char32_t c) {
  const int width = width_of(c);
  if (width == 0) return;
  if (wraps_next_ || cursor_.column + width > cells_.columns()) {
    cells_.set_wrapped(cursor_.row, true);
    cursor_.column = 0;
    line_feed();
  }
  cells_.put(cursor_.row, cursor_.column, c);
  cursor_.column += width;
  if (cursor_.column < cells_.columns()) return;
  cursor_.column = cells_.columns() - 1;
  wraps_next_ = autowrap_;
}

void Screen::line_feed() {
  wraps_next_ = false;
  if (cursor_.row + 1 == bottom_)
    cells_.scroll_up(top_, bottom_, 1);
  else if (cursor_.row + 1 < cells_.rows())
    ++cursor_.row;
}

void Screen::reverse_line_feed() {
  wraps_next_ = false;
  if (cursor_.row == top_)
    cells_.scroll_down(top_, bottom_, 1);
  else if (cursor_.row > 0)
    --cursor_.row;
}

void Screen::control(char c) {
  switch (c) {
    case '\b': return move_to(cursor_.row, cursor_.column - 1);
    case '\t': return move_to(cursor_.row, (cursor_.column / tab_width + 1) * tab_width);
    case '\r': return move_to(cursor_.row, 0);
    default: return line_feed();   // LF, VT, FF
  }
}

void Screen::sequence(const Sequence& sequence) {
  if (sequence.prefix == 0 && sequence.intermediate == 0 && (move_cursor(sequence) || edit(sequence))) return;
  if (sequence.intermediate == 0 && (sequence.final == 'h' || sequence.final == 'l')) return set_modes(sequence, sequence.final == 'h');
  answer_query(sequence);
}

bool Screen::move_cursor(const Sequence& sequence) {
  const int count = sequence.at(0, 1);
  switch (sequence.final) {
    case 'A': return move_to(cursor_.row - count, cursor_.column), true;
    case 'B':
    case 'e': return move_to(cursor_.row + count, cursor_.column), true;
    case 'C':
    case 'a': return move_to(cursor_.row, cursor_.column + count), true;
    case 'D': return move_to(cursor_.row, cursor_.column - count), true;
    case 'E': return move_to(cursor_.row + count, 0), true;
    case 'F': return move_to(cursor_.row - count, 0), true;
    case 'G':
    case '`': return move_to(cursor_.row, count - 1), true;
    case 'd': return move_to(count - 1, cursor_.column), true;
    case 'H':
    case 'f': return move_to(count - 1, sequence.at(1, 1) - 1), true;
    case 's': return saved_ = cursor_, true;
    case 'u': return move_to(saved_.row, saved_.column), true;
    default: return false;
  }
}

bool Screen::edit(const Sequence& sequence) {
  const int count = sequence.at(0, 1);
  const bool in_region = cursor_.row >= top_ && cursor_.row < bottom_;
  switch (sequence.final) {
    case 'J': return erase_display(sequence.at(0, 0)), true;
    case 'K': return erase_line(sequence.at(0, 0)), true;
    case 'X': return cells_.erase(cursor_.row, cursor_.column, cursor_.column + count), true;
    case '@': return cells_.insert_cells(cursor_.row, cursor_.column, count), true;
    case 'P': return cells_.delete_cells(cursor_.row, cursor_.column, count), true;
    case 'L':
      if (in_region) cells_.scroll_down(cursor_.row, bottom_, count);
      return true;
    case 'M':
      if (!in_region) return true;
      // Row 0 may be the cursor's: what is deleted there has not scrolled off.
      for (int row = cursor_.row; row < std::min(cursor_.row + count, bottom_); ++row) cells_.erase(row, 0, cells_.columns());
      return cells_.scroll_up(cursor_.row, bottom_, count), true;
    case 'S': return cells_.scroll_up(top_, bottom_, count), true;
    case 'T': return cells_.scroll_down(top_, bottom_, count), true;
    case 'r': {
      const int top = count - 1, bottom = std::min(sequence.at(1, cells_.rows()), cells_.rows());
      if (top + 1 < bottom) top_ = top, bottom_ = bottom, move_to(0, 0);
      return true;
    }
    default: return false;
  }
}

void Screen::erase_line(int what) {
  const int from = what == 0 ? cursor_.column : 0, to = what == 1 ? cursor_.column + 1 : cells_.columns();
  cells_.erase(cursor_.row, from, to);
}

void Screen::erase_display(int what) {
  if (what > 2) return;   // 3: the lines that have scrolled off
  const int first = what == 0 ? cursor_.row + 1 : 0, last = what == 1 ? cursor_.row : cells_.rows();
  for (int row = first; row < last; ++row) cells_.erase(row, 0, cells_.columns());
  if (what < 2) erase_line(what);
}

void Screen::set_modes(const Sequence& sequence, bool on) {
  if (sequence.prefix != '?') return;
  for (std::size_t i = 0; i < sequence.count; ++i) {
    const int mode = sequence.parameters[i];
    if (mode == 7) autowrap_ = on;
    if (mode == 47 || mode == 1047 || mode == 1049) reset();   // the other screen: an empty one will do
  }
}

void Screen::answer_query(const Sequence& sequence) {
  const auto number = [](int value) { return std::to_string(value); };
  const int what = sequence.at(0, 0);
  if (sequence.final == 'n' && what == 5) return answer("\x1b[0n");
  if (sequence.final == 'n' && what == 6)
    return answer("\x1b[" + std::string(sequence.prefix == '?' ? "?" : "") + number(cursor_.row + 1) + ";" + number(cursor_.column + 1) +
                  "R");
  if (sequence.final == 'c' && sequence.prefix == 0) return answer("\x1b[?62;22c");          // a VT220 with colours
  if (sequence.final == 'c' && sequence.prefix == '>') return answer("\x1b[>1;10;0c");
  if (sequence.final == 'u' && sequence.prefix == '?') return answer("\x1b[?0u");             // keyboard extensions: none
  if (sequence.final == 'q' && sequence.prefix == '>') return answer("\x1bP>|vigil\x1b\\");
  if (sequence.final == 't' && what == 18) return answer("\x1b[8;" + number(cells_.rows()) + ";" + number(cells_.columns()) + "t");
  if (sequence.final == 'p' && sequence.intermediate == '$')                                  // is this mode set: not known
    return answer("\x1b[" + std::string(sequence.prefix == '?' ? "?" : "") + number(what) + ";0$y");
}

void Screen::escape(char intermediate, char final) {
  if (intermediate != 0) return;   // character sets
  switch (final) {
    case '7': saved_ = cursor_; return;
    case '8': return move_to(saved_.row, saved_.column);
    case 'D': return line_feed();
    case 'E': cursor_.column = 0; return line_feed();
    case 'M': return reverse_line_feed();
    case 'c': return reset();
    default: return;
  }
}

void Screen::command(std::string_view text) {
  if (text.starts_with("8;")) {
    const auto target = text.find(';', 2);
    if (target != std::string_view::npos && target + 1 < text.size() && links_.size() < max_links)
      links_.emplace_back(text.substr(target + 1));
  } else if (text == "10;?") {
    answer("\x1b]10;rgb:ffff/ffff/ffff\x1b\\");
  } else if (text == "11;?") {
    answer("\x1b]11;rgb:0000/0000/0000\x1b\\");
  }
}

void Screen::reset() {
  cells_.clear();
  top_ = 0;
  bottom_ = cells_.rows();
  move_to(0, 0);
}

}  // namespace vigil::guest::signin
