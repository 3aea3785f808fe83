// Why a desktop's WebSocket is closed, as the page (and people who read its console) are told.
//
// Shape:  a code of the range that applications own (4000-4999) and a reason in words, at most 123 bytes of UTF-8: the frame holds no more.
// Source: RFC 6455 5.5.1, 7.4.2.
#pragma once

#include "shared/base/enum_names.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace vigil::desktop {

inline constexpr std::size_t max_reason_bytes = 123;

enum class CloseCode : std::uint16_t {
  not_authorised = 4001,
  ticket_used = 4003,
  no_such_vm = 4004,
  vm_ended = 4010,
  not_ready = 4011,
  too_many_viewers = 4012,
  daemon_stopping = 4013,
  no_desktop = 4014,
  not_binary = 4015,
};

struct Closing {
  CloseCode code = CloseCode::not_authorised;
  std::string reason;
  friend bool operator==(const Closing&, const Closing&) = default;
};

/// The words cut on a character's border; what is no UTF-8 in them is replaced.
Closing make_closing(CloseCode code, std::string_view words);

}  // namespace vigil::desktop

namespace vigil {
template <>
inline constexpr auto enum_table<desktop::CloseCode> =
    make_enum_table<desktop::CloseCode>({{desktop::CloseCode::not_authorised, "not_authorised"},
                                         {desktop::CloseCode::ticket_used, "ticket_used"},
                                         {desktop::CloseCode::no_such_vm, "no_such_vm"},
                                         {desktop::CloseCode::vm_ended, "vm_ended"},
                                         {desktop::CloseCode::not_ready, "not_ready"},
                                         {desktop::CloseCode::too_many_viewers, "too_many_viewers"},
                                         {desktop::CloseCode::daemon_stopping, "daemon_stopping"},
                                         {desktop::CloseCode::no_desktop, "no_desktop"},
                                         {desktop::CloseCode::not_binary, "not_binary"}});
}  // namespace vigil
