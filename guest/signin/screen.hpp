// A small terminal: what a CLI has drawn, as text, and the answers that it waits for.
//
// Shape:  write() takes what the CLI writes; take_answers() gives what is to be typed back for its queries (where is the cursor, what are you). Everything a
//         CLI of the table is known to ask is answered at once, for some wait seconds for it or refuse to start.
// Units:  bounded as Cells and EscapeParser are; at most 4 KiB of answers and 16 links wait to be taken.
// Errors: none: hostile bytes draw nonsense. Source: ECMA-48, xterm's "Control Sequences", OSC 8 for links.
#pragma once

#include "guest/signin/cells.hpp"
#include "guest/signin/escape_parser.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace vigil::guest::signin {

class Screen final : private EscapeHandler {
public:
  Screen(std::uint16_t rows, std::uint16_t columns);
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  void write(std::string_view bytes) { parser_.feed(bytes); }
  std::string take_answers();
  /// Where the links point that were drawn since the last call.
  std::vector<std::string> take_links();

  const Cells& cells() const { return cells_; }
  int row() const { return cursor_.row; }
  int column() const { return cursor_.column; }

private:
  struct Cursor {
    int row = 0, column = 0;
  };

  void character(char32_t c) override;
  void control(char c) override;
  void sequence(const Sequence& sequence) override;
  void escape(char intermediate, char final) override;
  void command(std::string_view text) override;

  void move_to(int row, int column);
  bool move_cursor(const Sequence& sequence);
  bool edit(const Sequence& sequence);
  void answer_query(const Sequence& sequence);
  void set_modes(const Sequence& sequence, bool on);
  void erase_display(int what);
  void erase_line(int what);
  void line_feed();
  void reverse_line_feed();
  void answer(std::string_view text);
  void reset();

  Cells cells_;
  EscapeParser parser_{*this};
  Cursor cursor_, saved_;
  bool wraps_next_ = false;  // the last column was written: the next character goes to the next row
  bool autowrap_ = true;
  int top_ = 0, bottom_;  // the scrolling region, [top, bottom)
  std::string answers_;
  std::vector<std::string> links_;
};

}  // namespace vigil::guest::signin
