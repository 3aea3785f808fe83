// How a connection that leaves a VM begins: one JSON frame from the agent on vsock port 5254, then chunks both ways (chunk.hpp).
//
// Shape:  data on channel `data` both ways, each side's end as a chunk without bytes; the agent's end of `control` ends the connection, then the host closes.
//         What is asked for is in the data itself: an HTTP proxy request, which the guest passes on unread.
// Errors: Errc::invalid, Errc::unsupported for another version.
#pragma once

#include "shared/base/ids.hpp"
#include "shared/base/result.hpp"

#include <string>
#include <string_view>

namespace vigil::streams {

struct EgressHello {
  BootId boot;
  std::string token;   // of the boot's link: no other process of the VM has it
  friend bool operator==(const EgressHello&, const EgressHello&) = default;
};

inline constexpr std::size_t max_egress_hello_bytes = 4096;

std::string encode(const EgressHello& hello);
Result<EgressHello> decode_egress_hello(std::string_view json_text);

}  // namespace vigil::streams
