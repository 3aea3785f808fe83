#include "guest/link/own_vm.hpp"

#include "guest/config/kernel_command_line.hpp"
#include "guest/process/small_file.hpp"

#include <unistd.h>

#include <string_view>

namespace vigil::guest::link {

namespace {

/// The program that our initramfs left, started by the init that it handed over to.
bool is_service_of_the_init() {
  char program[sizeof "/run/vigil/bin/vigil-guest" + 1];
  const ssize_t length = ::readlink("/proc/self/exe", program, sizeof program);
  return ::getppid() == 1 && length > 0 && std::string_view(program, static_cast<std::size_t>(length)) == "/run/vigil/bin/vigil-guest";
}

/// A newer agent that the one that runs tries: its child, from memory.
bool is_trial_of_the_init() {
  char program[64];
  const ssize_t length = ::readlink("/proc/self/exe", program, sizeof program);
  return ::getppid() == 1 && length > 0 && std::string_view(program, static_cast<std::size_t>(length)).starts_with("/memfd:vigil-guest");
}

}  // namespace

bool inside_a_vm_of_ours() {
  if (::getpid() != 1 && !is_service_of_the_init() && !is_trial_of_the_init()) return false;
  const auto text = process::read_small_file("/proc/cmdline");
  return text && !config::parse_kernel_command_line(*text).vm.empty();
}

}  // namespace vigil::guest::link
