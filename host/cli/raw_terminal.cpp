#include "host/cli/raw_terminal.hpp"

#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>

namespace vigil::cli {

struct RawTerminal::Saved { termios settings{}; };

RawTerminal::RawTerminal(Mode mode) {
  sigset_t passed;
  sigemptyset(&passed);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH}) sigaddset(&passed, signal);
  sigprocmask(SIG_BLOCK, &passed, nullptr);
  signals_.reset(::signalfd(-1, &passed, SFD_CLOEXEC | SFD_NONBLOCK));
  auto saved = std::make_unique<Saved>();
  if (mode != Mode::raw || ::tcgetattr(STDIN_FILENO, &saved->settings) != 0) return;
  termios raw = saved->settings;
  ::cfmakeraw(&raw);
  if (::tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0) saved_ = std::move(saved);
}

RawTerminal::~RawTerminal() { restore(); }

void RawTerminal::restore() const {
  if (saved_) ::tcsetattr(STDIN_FILENO, TCSADRAIN, &saved_->settings);
  saved_.reset();
}

std::optional<streams::TerminalSize> RawTerminal::size() const {
  winsize window{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_row == 0 || window.ws_col == 0) return std::nullopt;
  return streams::TerminalSize{window.ws_row, window.ws_col};
}

std::optional<int> RawTerminal::take_signal() const {
  signalfd_siginfo signal{};
  if (::read(signals_.get(), &signal, sizeof signal) != static_cast<ssize_t>(sizeof signal)) return std::nullopt;
  return static_cast<int>(signal.ssi_signo);
}

}  // namespace vigil::cli
