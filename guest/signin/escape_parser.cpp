#include "guest/signin/escape_parser.hpp"

#include <algorithm>

namespace vigil::guest::signin {

namespace {
constexpr unsigned char escape_byte = 0x1b, cancel = 0x18, substitute = 0x1a, bell = 0x07;
constexpr int max_parameter = 9999;
constexpr char32_t replacement = 0xfffd;
}  // namespace

void EscapeParser::take(unsigned char byte) {
  if (byte == cancel || byte == substitute) {
    state_ = State::ground;
    command_.clear();
    return;
  }
  switch (state_) {
    case State::ground: return take_ground(byte);
    case State::escape: return take_escape(byte);
    case State::sequence: return take_sequence(byte);
    case State::command:
    case State::command_escape: return take_command(byte);
    case State::other_string:
      state_ = byte == escape_byte ? State::other_string_escape : byte == bell ? State::ground : State::other_string;
      return;
    case State::other_string_escape:
      if (byte == '\\')
        state_ = State::ground;
      else
        begin_escape(), take_escape(byte);
      return;
  }
}

/// True: it was one, and is dealt with.
bool EscapeParser::take_control(unsigned char byte) {
  if (byte >= 0x20) return false;
  if (byte >= '\b' && byte <= '\r') handler_.control(static_cast<char>(byte));
  return true;
}

void EscapeParser::begin_escape() {
  state_ = State::escape;
  escape_intermediate_ = 0;
}

void EscapeParser::take_ground(unsigned char byte) {
  if (more_bytes_ > 0 && (byte & 0xc0) == 0x80) return take_utf8(byte);
  if (more_bytes_ > 0) end_character();
  if (byte == escape_byte) return begin_escape();
  if (take_control(byte) || byte == 0x7f) return;
  take_utf8(byte);
}

void EscapeParser::take_utf8(unsigned char byte) {
  if (more_bytes_ > 0) {
    character_ = (character_ << 6) | (byte & 0x3fU);
    if (--more_bytes_ > 0) return;
    const bool is_valid = character_ >= smallest_ && character_ <= 0x10ffff && (character_ < 0xd800 || character_ > 0xdfff);
    if (is_valid && character_ >= 0x80 && character_ < 0xa0) return;   // C1: these programs do not mean them
    return handler_.character(is_valid ? character_ : replacement);
  }
  if (byte < 0x80) return handler_.character(byte);
  const int more = byte >= 0xf0 && byte < 0xf8 ? 3 : byte >= 0xe0 && byte < 0xf0 ? 2 : byte >= 0xc0 && byte < 0xe0 ? 1 : 0;
  if (more == 0) return handler_.character(replacement);
  more_bytes_ = more;
  character_ = byte & (0x3fU >> more);
  smallest_ = more == 1 ? 0x80 : more == 2 ? 0x800 : 0x10000;
}

/// It stops in the middle.
void EscapeParser::end_character() {
  more_bytes_ = 0;
  handler_.character(replacement);
}

void EscapeParser::take_escape(unsigned char byte) {
  if (byte == escape_byte) return begin_escape();
  if (take_control(byte)) return;
  if (byte < 0x30) {
    escape_intermediate_ = static_cast<char>(byte);
    return;
  }
  if (escape_intermediate_ == 0 && byte == '[') {
    state_ = State::sequence;
    sequence_ = {};
    overflow_ = false;
    return;
  }
  if (escape_intermediate_ == 0 && byte == ']') {
    state_ = State::command;
    command_.clear();
    overflow_ = false;
    return;
  }
  if (escape_intermediate_ == 0 && (byte == 'P' || byte == 'X' || byte == '^' || byte == '_')) {
    state_ = State::other_string;
    return;
  }
  state_ = State::ground;
  if (byte < 0x7f) handler_.escape(escape_intermediate_, static_cast<char>(byte));
}

void EscapeParser::take_sequence(unsigned char byte) {
  if (byte == escape_byte) return begin_escape();
  if (take_control(byte)) return;
  const char c = static_cast<char>(byte);
  if (byte >= '0' && byte <= '9') {
    if (sequence_.count == 0) sequence_.count = 1;
    int& parameter = sequence_.parameters[sequence_.count - 1];
    parameter = std::min(max_parameter, parameter * 10 + (c - '0'));
  } else if (c == ';' || c == ':') {
    if (sequence_.count == 0) sequence_.count = 1;
    if (sequence_.count < sequence_.parameters.size())
      ++sequence_.count;
    else
      overflow_ = true;
  } else if (byte >= 0x3c && byte <= 0x3f) {
    sequence_.prefix = c;
  } else if (byte < 0x30) {
    sequence_.intermediate = c;
  } else {
    state_ = State::ground;
    sequence_.final = c;
    if (!overflow_ && byte < 0x7f) handler_.sequence(sequence_);
  }
}

void EscapeParser::take_command(unsigned char byte) {
  if (state_ == State::command_escape) {
    end_command();
    if (byte != '\\') begin_escape(), take_escape(byte);
    return;
  }
  if (byte == bell) return end_command();
  if (byte == escape_byte) {
    state_ = State::command_escape;
    return;
  }
  if (command_.size() < max_command)
    command_ += static_cast<char>(byte);
  else
    overflow_ = true;
}

void EscapeParser::end_command() {
  state_ = State::ground;
  if (!overflow_) handler_.command(command_);
  command_.clear();
  if (command_.capacity() > 256) command_.shrink_to_fit();
}

}  // namespace vigil::guest::signin
