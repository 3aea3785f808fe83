// What the core helper tells of one crash, message by message, as the facts and the trace that the reports need.
//
// Shape:  pure. Whatever comes is held to the limits of the reports, and to 256 KiB as JSON, so that a trace always fits into a frame of the link; a message
//         that is none is counted and otherwise ignored.
// Source: guest/core_dump/message.hpp. Hostile input: the helper reads what the victim wrote.
#pragma once

#include "shared/protocol/report.hpp"

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::guest::evidence {

/// Who crashed, as the kernel and /proc said while it still lived.
struct CoreVictim {
  pid_t pid = 0, parent = 0, tid = 0;
  int signal = 0;
  std::uint64_t start_ticks = 0;      // since boot, in clock ticks
  std::string comm, cgroup;
  protocol::VictimFacts facts;
};

class CoreStory {
public:
  void add(std::string_view message);

  const std::optional<CoreVictim>& victim() const { return victim_; }
  bool is_whole() const { return ended_; }
  std::uint32_t odd_messages() const { return odd_; }
  /// What is known now. `unfinished` says why, where the story has no end.
  protocol::CrashTrace trace(const std::string& crash, const std::string& unfinished) const;

private:
  using Fields = std::vector<std::string_view>;
  bool take(const Fields& fields);
  bool take_victim(const Fields& fields);
  bool take_signal(const Fields& fields);
  bool take_thread(const Fields& fields);
  bool take_frame(const Fields& fields);
  bool take_cut(const Fields& fields);

  std::optional<CoreVictim> victim_;
  std::optional<std::uint64_t> fault_address_;
  std::string reason_;
  std::vector<protocol::TraceThread> threads_;   // the crashing one first
  std::string cut_;                              // before any thread
  std::uint32_t left_out_ = 0, odd_ = 0;
  bool ended_ = false;
  std::size_t json_bytes_ = 0;  // of the frames
};

/// "SEGV_MAPERR", "sent by itself", "sent by pid 12"; "code N" for one without a name.
std::string signal_reason(int signal, int code, pid_t sender, pid_t victim);

}  // namespace vigil::guest::evidence
