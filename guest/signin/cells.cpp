#include "guest/signin/cells.hpp"

#include <algorithm>

namespace vigil::guest::signin {

namespace {

struct Span {
  char32_t first, last;
};
// Enough of Unicode's tables for what command-line tools draw: combining marks and joiners; East Asian wide, emoji.
constexpr Span no_width[] = {{0x300, 0x36f}, {0x200b, 0x200f}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfeff, 0xfeff}};
constexpr Span two_wide[] = {{0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0xa4cf},   {0xac00, 0xd7a3},
                             {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},
                             {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1faff}, {0x20000, 0x3fffd}};

template <std::size_t N>
bool is_in(char32_t character, const Span (&spans)[N]) {
  return std::any_of(std::begin(spans), std::end(spans),
                     [character](const Span& span) { return character >= span.first && character <= span.last; });
}

void append_utf8(std::string& text, char32_t c) {
  const auto add = [&text](char32_t byte) { text += static_cast<char>(static_cast<unsigned char>(byte)); };
  if (c < 0x80) return add(c);
  if (c < 0x800) return add(0xc0 | (c >> 6)), add(0x80 | (c & 0x3f));
  if (c < 0x10000) return add(0xe0 | (c >> 12)), add(0x80 | ((c >> 6) & 0x3f)), add(0x80 | (c & 0x3f));
  add(0xf0 | (c >> 18)), add(0x80 | ((c >> 12) & 0x3f)), add(0x80 | ((c >> 6) & 0x3f)), add(0x80 | (c & 0x3f));
}

int clamped(int value, int limit) { return std::clamp(value, 0, limit); }

}  // namespace

int width_of(char32_t character) {
  if (is_in(character, no_width)) return 0;
  return is_in(character, two_wide) ? 2 : 1;
}

Cells::Cells(std::uint16_t rows, std::uint16_t columns)
    : rows_(std::clamp(rows, min_side, max_rows)),
      columns_(std::clamp(columns, min_side, max_columns)),
      grid_(static_cast<std::size_t>(rows_), empty_row()) {}

/// A wide character of which one half is overwritten is gone.
void Cells::tear_wide(Row& row, int column) {
  auto& cells = row.cells;
  const auto here = static_cast<std::size_t>(column);
  if (cells[here] == beyond && here > 0) cells[here - 1] = blank;
  if (here + 1 < cells.size() && cells[here + 1] == beyond) cells[here + 1] = blank;
}

void Cells::put(int row, int column, char32_t character) {
  auto& into = at(clamped(row, rows_ - 1));
  column = clamped(column, columns_ - 1);
  tear_wide(into, column);
  into.cells[static_cast<std::size_t>(column)] = character;
  if (width_of(character) < 2 || column + 1 >= columns_) return;
  tear_wide(into, column + 1);
  into.cells[static_cast<std::size_t>(column)] = character;
  into.cells[static_cast<std::size_t>(column) + 1] = beyond;
}

void Cells::erase(int row, int from, int to) {
  auto& in = at(clamped(row, rows_ - 1));
  from = clamped(from, columns_);
  to = clamped(to, columns_);
  if (from >= to) return;
  tear_wide(in, from);
  tear_wide(in, to - 1);
  std::fill(in.cells.begin() + from, in.cells.begin() + to, blank);
  if (to == columns_) in.wrapped = false;
}

void Cells::insert_cells(int row, int column, int count) {
  auto& cells = at(clamped(row, rows_ - 1)).cells;
  column = clamped(column, columns_ - 1);
  count = clamped(count, columns_ - column);
  std::move_backward(cells.begin() + column, cells.end() - count, cells.end());
  std::fill_n(cells.begin() + column, count, blank);
}

void Cells::delete_cells(int row, int column, int count) {
  auto& cells = at(clamped(row, rows_ - 1)).cells;
  column = clamped(column, columns_ - 1);
  count = clamped(count, columns_ - column);
  std::move(cells.begin() + column + count, cells.end(), cells.begin() + column);
  std::fill(cells.end() - count, cells.end(), blank);
}

void Cells::scroll_up(int top, int bottom, int count) {
  count = clamped(count, bottom - top);
  for (int each = 0; each < count; ++each) {
    std::rotate(grid_.begin() + top, grid_.begin() + top + 1, grid_.begin() + bottom);
    if (top == 0) {
      history_.push_back(std::move(at(bottom - 1)));
      if (history_.size() > max_history) history_.pop_front();
    }
    at(bottom - 1) = empty_row();
  }
}

void Cells::scroll_down(int top, int bottom, int count) {
  count = clamped(count, bottom - top);
  for (int each = 0; each < count; ++each) {
    std::rotate(grid_.begin() + top, grid_.begin() + bottom - 1, grid_.begin() + bottom);
    at(top) = empty_row();
  }
}

void Cells::clear() {
  for (auto& row : grid_) row = empty_row();
}

Line Cells::line_of(const Row& row) {
  Line line;
  line.wrapped = row.wrapped;
  for (const auto cell : row.cells) {
    if (cell == beyond) continue;
    if (cell == blank)
      line.text += ' ';
    else
      append_utf8(line.text, cell);
  }
  line.text.erase(line.text.find_last_not_of(' ') + 1);
  return line;
}

std::vector<Line> Cells::lines() const {
  std::vector<Line> lines;
  for (const auto& row : grid_) lines.push_back(line_of(row));
  return lines;
}

std::vector<Line> Cells::lines_with_history() const {
  std::vector<Line> lines;
  for (const auto& row : history_) lines.push_back(line_of(row));
  for (const auto& row : grid_) lines.push_back(line_of(row));
  return lines;
}

}  // namespace vigil::guest::signin
