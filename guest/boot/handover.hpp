// What the initramfs life of the agent leaves to the one that runs as init: report numbers, unacknowledged reports, the welcome, the open link.
//
// Shape:  lines of text in a file of mode 0600 on tmpfs, written beside it and renamed, so that whoever is killed leaves a whole one. PID 1 takes it away,
//         for it holds token and secrets; a service of systemd, which may be killed at any moment, leaves one for its follower from its first moment on.
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
/// Reads and removes it.
Result<Handover> take_handover(const std::string& path = handover_path);
/// Reads it and puts in its place what a follower needs if this life ends before it has written anything. Where nothing can be written the former stays.
Result<Handover> follow_handover(const BootId& boot, const std::string& path = handover_path);

/// For a life that knows nothing of the one before: numbers that it cannot have used.
report::OutboxState unknown_numbers();
/// What a life leaves that may be ended at any moment: the token, and numbers that it cannot use. `next`: its next number.
Handover after_sudden_end(std::uint32_t life, Seq next, std::optional<protocol::Welcome> welcome);
/// For a life that begins when this one, whose next number is `next`, was ended at a moment that nobody knows.
report::OutboxState numbers_after(Seq next);
/// Whether it is the first of such numbers: reports of the life before may be lost.
bool follows_a_sudden_end(Seq next);

}  // namespace vigil::guest::boot
