#include "host/vmm/firecracker/exit_code.hpp"

#include <algorithm>
#include <iterator>
#include <variant>

namespace vigil::vmm::firecracker {

namespace {

struct CodeRow {
  int code;
  std::string_view meaning;
};
constexpr CodeRow code_table[] = {
    {0, "the guest reset its machine; Firecracker ends so after a reboot, and after a panic too"},
    {1, "a general failure: KVM refused, the guest tripled a fault, or a snapshot could not be loaded"},
    {2, "an error that Firecracker did not expect"},
    {148, "a system call that its seccomp filter forbids"},
    {149, "a bus error (SIGBUS) in Firecracker"},
    {150, "a segmentation fault (SIGSEGV) in Firecracker"},
    {151, "a file grew over its limit (SIGXFSZ)"},
    {152, "a configuration that Firecracker refuses"},
    {153, "arguments that Firecracker does not understand"},
    {154, "its limit of processor time (SIGXCPU)"},
    {155, "a broken pipe (SIGPIPE)"},
    {156, "a hang-up (SIGHUP)"},
    {157, "an illegal instruction (SIGILL) in Firecracker"},
};

}  // namespace

std::string_view meaning_of_code(int code) {
  const auto* const found =
      std::find_if(std::begin(code_table), std::end(code_table), [code](const CodeRow& row) { return row.code == code; });
  return found == std::end(code_table) ? std::string_view() : found->meaning;
}

std::string explain_exit(const protocol::ExitStatus& exit) {
  const auto* const ended = std::get_if<protocol::ExitCode>(&exit);
  if (ended == nullptr) return {};
  const auto meaning = meaning_of_code(ended->code);
  return meaning.empty() ? std::string() : "Firecracker's exit code " + std::to_string(ended->code) + ": " + std::string(meaning);
}

}  // namespace vigil::vmm::firecracker
