// The worker's life. Errors go to the host; the exit code is for the log.
#pragma once

namespace vigil::guest::files {

/// `connection`: the stream; `opening`: a file with the opening's frame and what the host had sent after it.
int serve(int connection, int opening);

}  // namespace vigil::guest::files
