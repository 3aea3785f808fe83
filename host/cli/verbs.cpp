#include "host/cli/commands.hpp"
#include "host/cli/view.hpp"

#include <cstdio>

namespace vigil::cli {

int fail(const Error& error) {
  if (error.code() == Errc::unavailable && error.message().starts_with("no daemon serves")) {
    std::fprintf(stderr, "vigil: %s\n  -> start it: vigild (or ./dev up in the source tree); another socket: --socket PATH or $VIGIL_SOCKET\n",
                 safe(error.message()).c_str());
    return exit_no_daemon;
  }
  std::fprintf(stderr, "vigil: %s\n", safe(error.message()).c_str());
  return exit_failed;
}

std::string instance_path(const std::string& name) { return "/v1/instances/" + segment(name); }

}  // namespace vigil::cli
