#include "guest/streams/terminal.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>

#include <cerrno>

namespace vigil::guest::streams {

using vigil::streams::TerminalSize;

Result<Terminal> open_terminal(const TerminalSize& size) {
  Terminal terminal;
  terminal.primary.reset(::open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  if (!terminal.primary) return Error::from_errno("/dev/ptmx", errno);
  int unlocked = 0;
  if (::ioctl(terminal.primary.get(), TIOCSPTLCK, &unlocked) != 0) return Error::from_errno("unlock the terminal", errno);
  terminal.secondary.reset(::ioctl(terminal.primary.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!terminal.secondary) return Error::from_errno("open the terminal's other side", errno);
  resize_terminal(terminal.primary.get(), size);
  return terminal;
}

void resize_terminal(int primary, const TerminalSize& size) {
  winsize window{};
  window.ws_row = size.rows;
  window.ws_col = size.columns;
  ::ioctl(primary, TIOCSWINSZ, &window);
}

}  // namespace vigil::guest::streams
