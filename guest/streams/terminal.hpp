// A pseudo-terminal for one program. Source: pty(7), ioctl_tty(2). Errors: those of the system.
#pragma once

#include "shared/base/result.hpp"
#include "shared/base/unique_fd.hpp"
#include "shared/streams/opening.hpp"

namespace vigil::guest::streams {

struct Terminal {
  UniqueFd primary;      // non-blocking; ours
  UniqueFd secondary;    // the program's stdin, stdout and stderr
};

Result<Terminal> open_terminal(const vigil::streams::TerminalSize& size);
/// The programs in it get SIGWINCH.
void resize_terminal(int primary, const vigil::streams::TerminalSize& size);

}  // namespace vigil::guest::streams
