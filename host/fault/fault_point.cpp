#include "host/fault/fault_point.hpp"

#ifdef VIGIL_FAULT_POINTS

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <string>
#include <string_view>

namespace vigil::fault {

namespace {

std::string_view name_of(Step step) {
  switch (step) {
#define STEP(name, what) \
  case Step::name: return #name;
#include "host/fault/steps.inc"
#undef STEP
  }
  std::abort();
}

/// Where the environment says that it ends, and how often it has been there.
struct Wanted {
  std::string place;                            // "commit.before"
  std::atomic<long> left = 1;

  Wanted() {
    const char* const text = std::getenv("VIGIL_FAULT_POINT");
    if (text == nullptr) return;
    place = text;
    const auto colon = place.find(':');
    if (colon == place.npos) return;
    left = std::atol(place.c_str() + colon + 1);
    place.resize(colon);
  }
};

void reach(Step step, std::string_view side) {
  static Wanted wanted;
  if (wanted.place.empty() || wanted.place != std::string(name_of(step)) + std::string(side) || --wanted.left != 0) return;
  const std::string text = "vigild: killed at the fault point " + wanted.place + "\n";
  [[maybe_unused]] const auto told = ::write(STDERR_FILENO, text.data(), text.size());
  ::kill(::getpid(), SIGKILL);
}

}  // namespace

Around::Around(Step step) : step_(step) { reach(step_, ".before"); }
Around::~Around() { reach(step_, ".after"); }

}  // namespace vigil::fault

#else

namespace vigil::fault {

Around::Around(Step step) : step_(step) {}
Around::~Around() = default;

}  // namespace vigil::fault

#endif
