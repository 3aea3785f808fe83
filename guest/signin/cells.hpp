// The cells of a terminal's screen: text at places, lines that scroll, which row goes on in the next.
//
// Shape:  rows and columns are fixed; every place that is asked for is brought inside first. What scrolls off the top is kept, the newest max_history rows.
// Units:  a cell is one code point; the second half of a wide one holds `beyond`. Memory: (rows + max_history) x columns x 4 bytes.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace vigil::guest::signin {

/// One row as text.
struct Line {
  std::string text;  // UTF-8, without the blanks at its end
  bool wrapped = false;  // the program wrote on past the last column: the next line is its continuation
  friend bool operator==(const Line&, const Line&) = default;
};

class Cells {
public:
  static constexpr std::size_t max_history = 64;
  static constexpr std::uint16_t min_side = 2, max_rows = 200, max_columns = 400;

  Cells(std::uint16_t rows, std::uint16_t columns);

  int rows() const { return rows_; }
  int columns() const { return columns_; }

  void put(int row, int column, char32_t character);
  void erase(int row, int from, int to);  // columns [from, to)
  void insert_cells(int row, int column, int count);
  void delete_cells(int row, int column, int count);
  /// Rows [top, bottom) move up; what leaves the whole screen's top goes into the history.
  void scroll_up(int top, int bottom, int count);
  void scroll_down(int top, int bottom, int count);
  void set_wrapped(int row, bool wrapped) { at(row).wrapped = wrapped; }
  void clear();

  /// What is on the screen, from the top.
  std::vector<Line> lines() const;
  /// The history, then the screen.
  std::vector<Line> lines_with_history() const;

private:
  struct Row {
    std::vector<char32_t> cells;
    bool wrapped = false;
  };
  static constexpr char32_t blank = 0, beyond = 0xffffffff;

  Row& at(int row) { return grid_[static_cast<std::size_t>(row)]; }
  Row empty_row() const { return {std::vector<char32_t>(static_cast<std::size_t>(columns_), blank), false}; }
  static Line line_of(const Row& row);
  void tear_wide(Row& row, int column);

  int rows_, columns_;
  std::vector<Row> grid_;
  std::deque<Row> history_;
};

/// Columns that a character takes: 0, 1 or 2.
int width_of(char32_t character);

}  // namespace vigil::guest::signin
