#include "host/places/places.hpp"

#include <unistd.h>

#include <cstdlib>

namespace vigil {

namespace {

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::filesystem::path state_home() {
  const auto state = environment("XDG_STATE_HOME");
  return state.empty() ? std::filesystem::path(environment("HOME")) / ".local/state" : std::filesystem::path(state);
}

}  // namespace

DefaultPlaces default_places() {
  if (::geteuid() == 0) return {"/var/lib/vigil", "/run/vigil", "/run/vigil/vigild.sock"};
  const auto runtime = environment("XDG_RUNTIME_DIR");
  const auto run = runtime.empty() ? std::filesystem::path("/tmp/vigil-" + std::to_string(::geteuid())) : std::filesystem::path(runtime) / "vigil";
  return {state_home() / "vigil", run, run / "vigild.sock"};
}

}  // namespace vigil
