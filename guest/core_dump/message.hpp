// The words between the core helper and the agent: one message of a Unix SOCK_SEQPACKET socket each, fields between NUL bytes, the first names the kind.
//
// Shape:  in this order: `victim` once, `signal` at most once, then for each thread `thread` and its `frame`s (the crashing thread first), and `cut` where a
//         thread's frames are not all; `left_out` when threads were left out; `end` once. A connection that ends without `end` was cut off.
// Units:  addresses are hexadecimal without 0x, sizes KiB, times clock ticks since boot. Everything in them may be made up by the victim.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::guest::core_dump {

inline constexpr std::size_t max_message_bytes = 16 * 1024;
inline constexpr std::size_t max_message_fields = 24;

/// NUL bytes inside a field become blanks; what is over the limit is cut off.
std::string make_message(std::initializer_list<std::string_view> fields);

/// At least one field; views into `message`.
std::vector<std::string_view> fields_of(std::string_view message);

}  // namespace vigil::guest::core_dump
