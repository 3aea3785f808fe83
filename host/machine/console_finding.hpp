// Something that the guest's kernel printed and that means something; made by host/console, judged by the reducer and the verdict.
//
// Shape:  kind, the line without printk's prefix, what the pattern captured, and the lines that followed it (a trace), bounded.
// Trust:  a hint, never authority: root in the guest can print anything. The reducer takes a panic back when the guest speaks on afterwards.
#pragma once

#include "shared/base/enum_names.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace vigil::machine {

enum class ConsoleKind {
  linux_version, panic, init_killed, no_root, no_init, initrd_failed, oops, bug, soft_lockup, hung_task, rcu_stall,
  oom_kill, memcg_oom_kill, filesystem_error, io_error, segfault, restarting,
  suppressed,                                   // findings of one kind over their rate: `count` of them were not recorded one by one
};

struct ConsoleFinding {
  ConsoleKind kind = ConsoleKind::panic;
  std::string text;                             // at most 512 bytes
  std::map<std::string, std::string> captured;  // "task", "pid", "device", "version", ...: named by the pattern's row
  std::vector<std::string> lines;               // what followed, at most 40 lines of at most 256 bytes
  std::uint64_t kernel_us = 0;                  // printk's own time stamp, 0: none
  std::uint64_t count = 1;
  friend bool operator==(const ConsoleFinding&, const ConsoleFinding&) = default;
};

}  // namespace vigil::machine

namespace vigil {
template <> inline constexpr auto enum_table<machine::ConsoleKind> = make_enum_table<machine::ConsoleKind>({
    {machine::ConsoleKind::linux_version, "linux_version"}, {machine::ConsoleKind::panic, "panic"}, {machine::ConsoleKind::init_killed, "init_killed"},
    {machine::ConsoleKind::no_root, "no_root"}, {machine::ConsoleKind::no_init, "no_init"}, {machine::ConsoleKind::initrd_failed, "initrd_failed"},
    {machine::ConsoleKind::oops, "oops"},
    {machine::ConsoleKind::bug, "bug"}, {machine::ConsoleKind::soft_lockup, "soft_lockup"}, {machine::ConsoleKind::hung_task, "hung_task"},
    {machine::ConsoleKind::rcu_stall, "rcu_stall"}, {machine::ConsoleKind::oom_kill, "oom_kill"},
    {machine::ConsoleKind::memcg_oom_kill, "memcg_oom_kill"}, {machine::ConsoleKind::filesystem_error, "filesystem_error"},
    {machine::ConsoleKind::io_error, "io_error"}, {machine::ConsoleKind::segfault, "segfault"}, {machine::ConsoleKind::restarting, "restarting"},
    {machine::ConsoleKind::suppressed, "suppressed"}});
}  // namespace vigil
