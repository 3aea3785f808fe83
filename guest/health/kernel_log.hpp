// What the kernel complained of since the last look: its own messages of level error or worse, from /dev/kmsg.
//
// Shape:  look() reads what has come, bounded; messages of programs (our own console records among them) do not count. What came before the agent's start is on
//         the console. Source: Documentation/ABI/testing/dev-kmsg.
#pragma once

#include "shared/base/unique_fd.hpp"
#include "shared/protocol/report.hpp"

#include <optional>
#include <string_view>
#include <vector>

namespace vigil::guest::health {

struct KernelRecord {
  std::uint32_t facility = 0, level = 0;
  MonoUs at_us = 0;
  std::string text;
};
/// "3,1234,56789,-;text\n KEY=value": one read(2). Pure; nullopt: not such a record.
std::optional<KernelRecord> parse_kernel_record(std::string_view record);

class KernelLog {
public:
  static constexpr std::size_t max_messages = 16;

  KernelLog();

  struct News {
    std::vector<protocol::KernelMessage> messages;  // at most max_messages, oldest first
    std::uint64_t lost = 0;
  };
  News look();

private:
  UniqueFd file_;
};

}  // namespace vigil::guest::health
