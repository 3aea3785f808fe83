// What the initramfs life of the agent leaves to the one that runs as init: report numbers, unacknowledged reports, the welcome, the open link.
//
// Shape:  lines of text, kept in a file of mode 0600 on tmpfs for the few milliseconds in between; reading removes it, for it holds token and secrets.
// Errors: Errc::invalid for a text that is not one. A reader without a handover must not start numbers at 1 again: see unknown_numbers().
#pragma once

#include "guest/report/outbox.hpp"
#include "shared/base/result.hpp"
#include "shared/protocol/control.hpp"

#include <optional>
#include <string>

namespace vigil::guest::boot {

inline constexpr const char* handover_path = "/run/vigil/handover";

struct Handover {
  std::uint32_t life = 0;             // 0: the first after the initramfs
  report::OutboxState outbox;
  int link_fd = -1;                   // kept open over exec; -1: none
  bool link_welcomed = false;
  std::string link_unread, link_unsent;
  std::optional<protocol::Welcome> welcome;
  friend bool operator==(const Handover&, const Handover&) = default;
};

std::string encode_handover(const Handover& handover, const BootId& boot);
Result<Handover> decode_handover(const std::string& text);

Result<void> write_handover(const Handover& handover, const BootId& boot, const std::string& path = handover_path);
Result<Handover> take_handover(const std::string& path = handover_path);

/// For a life that knows nothing of the one before: numbers that it cannot have used.
report::OutboxState unknown_numbers();
/// For a life that begins when this one, whose next number is `next`, was ended at a moment that nobody knows.
report::OutboxState numbers_after(Seq next);
/// Whether it is the first of such numbers: reports of the life before may be lost.
bool follows_a_sudden_end(Seq next);

}  // namespace vigil::guest::boot
