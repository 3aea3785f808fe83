// One line of QMP, typed.
//
// Shape:  events that nobody here acts on are Ignored; a reply's value stays JSON text, for the one who asked knows what it is.
// Errors: Errc::protocol for what is no QMP.
// Source: QEMU docs/interop/qmp-spec.rst.
#pragma once

#include "host/vmm/vmm.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace vigil::vmm::qemu {

struct Greeting { std::string version; friend bool operator==(const Greeting&, const Greeting&) = default; };   // "7.2.22"
struct Reply {
  std::uint64_t id = 0;
  std::string value;                            // JSON text of "return"
  std::optional<std::string> error;             // "CommandNotFound: ..."
  friend bool operator==(const Reply&, const Reply&) = default;
};
struct Ignored { friend bool operator==(const Ignored&, const Ignored&) = default; };
using QmpMessage = std::variant<Greeting, Reply, VmmEvent, Ignored>;

inline constexpr std::size_t max_line_bytes = 1 << 20;

Result<QmpMessage> parse_message(std::string_view line);
/// One line, with its end. `arguments`: JSON text of an object; empty: none.
std::string make_command(std::string_view name, std::uint64_t id, const std::string& arguments = {});
Result<std::string> parse_run_state(std::string_view value);         // of query-status

/// Of the monitor's "info registers -a", as JSON text; what it does not understand is left out.
Result<std::vector<Processor>> parse_registers(std::string_view value);

/// The last reason that QEMU's trace of shutdown requests names in its log; empty when there is none.
std::string reason_in_log(std::string_view log);

}  // namespace vigil::vmm::qemu
