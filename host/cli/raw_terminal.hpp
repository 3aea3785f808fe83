// Our own terminal while a program of a VM has it: raw, and given back whatever happens; and the signals that are meant for that program.
//
// Shape:  while one lives SIGINT, SIGTERM, SIGHUP, SIGQUIT and SIGWINCH do not end us but are read from signals(). Without a terminal nothing is changed but that.
// Source: termios(3), signalfd(2). Thread: one instance at a time.
#pragma once

#include "shared/base/unique_fd.hpp"
#include "shared/streams/opening.hpp"

#include <memory>
#include <optional>

namespace vigil::cli {

class RawTerminal {
public:
  enum class Mode { as_it_is, raw };

  explicit RawTerminal(Mode mode);
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;
  ~RawTerminal();

  /// Before a message is printed; once.
  void restore() const;
  /// Nullopt: there is none.
  std::optional<streams::TerminalSize> size() const;
  int signals() const { return signals_.get(); }
  std::optional<int> take_signal() const;

private:
  struct Saved;
  mutable std::unique_ptr<Saved> saved_;
  UniqueFd signals_;
};

}  // namespace vigil::cli
