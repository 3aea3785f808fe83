// What Firecracker answers, and what a refusal means.
//
// Shape:  an answer is a status and at most 64 KiB of body. A refused order becomes a cause, with Firecracker's own words as its first evidence.
// Errors: parse_*: Errc::protocol for what is not an answer of Firecracker's.
// Source: swagger: 204 to PUT and PATCH, 200 and JSON to GET, 400 and {"fault_message"} to a refusal; where errors surface: vmm_config, builder.rs.
#pragma once

#include "host/vmm/vmm.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace vigil::vmm::firecracker {

inline constexpr std::size_t max_answer_bytes = 64 << 10;

struct Answer {
  long status = 0;
  std::string body;
};

/// nullopt: done as asked. Else Firecracker's words, at most 1 KiB, or what it answered in their place.
std::optional<std::string> fault_of(const Answer& answer);

/// Of GET /: "Not started", "Running", "Paused".
Result<std::string> parse_instance_state(std::string_view body);
/// Of GET /version: "1.16.1".
Result<std::string> parse_version_answer(std::string_view body);

/// `order` is one of `orders`.
protocol::Cause cause_of_fault(const ControlRequest& order, const std::string& fault, const BootOrders& orders);

}  // namespace vigil::vmm::firecracker
