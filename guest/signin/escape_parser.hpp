// What a program writes to its terminal, cut into characters, controls and sequences; incremental, for the bytes come cut anywhere.
//
// Shape:  one handler call a token. A sequence that is too long or has too many parameters is passed over whole.
// Units:  parameters are at most 9999; at most 16 of them; a string (OSC) of at most 8 KiB. Errors: none: what is malformed draws U+FFFD or nothing.
// Source: ECMA-48; xterm's "Control Sequences".
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace vigil::guest::signin {

/// CSI private params intermediate final, "CSI ? 6 n".
struct Sequence {
  char prefix = 0;  // '?', '>', '<', '=' or none
  char intermediate = 0;  // '$', ' ', ... the last one
  char final = 0;
  std::array<int, 16> parameters{};
  std::size_t count = 0;

  /// A parameter that is missing or 0 is `fallback`.
  int at(std::size_t index, int fallback) const { return index < count && parameters[index] > 0 ? parameters[index] : fallback; }
};

class EscapeHandler {
public:
  virtual ~EscapeHandler() = default;
  virtual void character(char32_t c) = 0;
  virtual void control(char c) = 0;  // BS, HT, LF, VT, FF, CR
  virtual void sequence(const Sequence& sequence) = 0;
  virtual void escape(char intermediate, char final) = 0;  // ESC 7, ESC ( B, ...
  virtual void command(std::string_view text) = 0;  // of an OSC: "8;;https://..."
};

class EscapeParser {
public:
  explicit EscapeParser(EscapeHandler& handler) : handler_(handler) {}
  void feed(std::string_view bytes) {
    for (const char byte : bytes) take(static_cast<unsigned char>(byte));
  }

private:
  enum class State { ground, escape, sequence, command, command_escape, other_string, other_string_escape };
  static constexpr std::size_t max_command = 8 * 1024;

  void take(unsigned char byte);
  void take_ground(unsigned char byte);
  void take_utf8(unsigned char byte);
  void take_escape(unsigned char byte);
  void take_sequence(unsigned char byte);
  void take_command(unsigned char byte);
  bool take_control(unsigned char byte);
  void begin_escape();
  void end_character();
  void end_command();

  EscapeHandler& handler_;
  State state_ = State::ground;
  Sequence sequence_;
  bool overflow_ = false;  // this sequence or command is passed over
  char escape_intermediate_ = 0;
  std::string command_;
  char32_t character_ = 0, smallest_ = 0;
  int more_bytes_ = 0;  // of the character that is under way
};

}  // namespace vigil::guest::signin
