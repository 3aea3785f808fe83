#include "host/vmm/firecracker/fault.hpp"

#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <initializer_list>

namespace vigil::vmm::firecracker {

namespace {

using protocol::CauseCode;

constexpr std::size_t max_fault = 1024;
constexpr JsonLimits answer_limits{.max_bytes = max_answer_bytes, .max_depth = 8, .max_values = 2'000};
constexpr long done_without_body = 204, done_with_body = 200;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

bool says(const std::string& text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(), [&text](std::string_view word) { return text.find(word) != std::string::npos; });
}

Result<std::string> member_of(std::string_view body, const char* name) {
  const auto object = parse_json(body, answer_limits);
  if (!object || !object->is_object()) return Error(Errc::protocol, "Firecracker's answer is no JSON object");
  auto value = read_string(*object, name);
  if (!value) return Error(Errc::protocol, "Firecracker's answer: " + value.error().message());
  return value;
}

protocol::Cause refused_start(const std::string& reason, const std::string& fault) {
  return protocol::make_cause(CauseCode::vmm_start_failed, {{"reason", reason}}, {"Firecracker: " + fault});
}

protocol::Cause bad_file(CauseCode code, const std::string& path, const std::string& fault) {
  return protocol::make_cause(code, {{"path", path}, {"reason", "Firecracker refuses it"}}, {"Firecracker: " + fault});
}

}  // namespace

std::optional<std::string> fault_of(const Answer& answer) {
  if (answer.status == done_without_body || answer.status == done_with_body) return std::nullopt;
  const auto message = member_of(answer.body, "fault_message");
  if (message && !message->empty()) return message->substr(0, max_fault);
  return "status " + std::to_string(answer.status) + " without a fault_message";
}

Result<std::string> parse_instance_state(std::string_view body) { return member_of(body, "state"); }
Result<std::string> parse_version_answer(std::string_view body) { return member_of(body, "firecracker_version"); }

protocol::Cause cause_of_fault(const ControlRequest& order, const std::string& fault, const BootOrders& orders) {
  const std::string text = lower(fault);
  const bool starts = order.path == "/actions";
  if (starts && says(text, {"/dev/kvm", "kvm"})) return refused_start("Firecracker cannot use KVM, and does not run without it", fault);
  // The words of both faults hold "kernel": what is about the initramfs is told by its own name.
  const bool boots = order.path == "/boot-source" || starts;
  if (boots && says(text, {"initrd", "initramfs"})) return bad_file(CauseCode::boot_initrd_invalid, orders.initrd, fault);
  if (boots && says(text, {"command line", "cmdline"})) return refused_start("Firecracker refuses the kernel's command line", fault);
  if (boots && says(text, {"kernel", "elf"})) return bad_file(CauseCode::boot_kernel_invalid, orders.kernel, fault);
  if (starts && says(text, {"memory", "hugetlb", "mmap"})) return refused_start("the host has no memory for this VM", fault);
  return refused_start("Firecracker refuses " + order.method + " " + order.path, fault);
}

}  // namespace vigil::vmm::firecracker
