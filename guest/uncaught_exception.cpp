// An exception that nobody catches is a fault of ours: its text goes to the log, abort() to the crash guard, which tells where it was.
// In place of libstdc++'s handler of this name, which brings a demangler of 40 KiB along.
#include "guest/log/log.hpp"

#include <cstdlib>
#include <exception>
#include <utility>

namespace __gnu_cxx {

void __verbose_terminate_handler();   // what libstdc++ calls; it has no public declaration without its own header

void __verbose_terminate_handler() {
  static bool again = false;
  if (std::exchange(again, true)) std::abort();   // telling it failed too
  try {
    if (std::current_exception()) throw;
  } catch (const std::exception& error) {
    vigil::guest::log::error("agent.uncaught_exception", {{"err", error.what()}});
  } catch (...) {
    vigil::guest::log::error("agent.uncaught_exception", {{"err", "not a std::exception"}});
  }
  std::abort();
}

}  // namespace __gnu_cxx
