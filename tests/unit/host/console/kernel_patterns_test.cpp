// Lines as kernels print them: Debian 12 (6.1), Debian 13 (6.12), and wordings of other versions that the table knows.
#include "host/console/kernel_patterns.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_all.hpp>

#include <algorithm>

namespace vigil::console {

using machine::ConsoleKind;

namespace {

struct Sample {
  const char* line;
  ConsoleKind kind;
  std::map<std::string, std::string> captured;
};

const Sample samples[] = {
    {"[    0.000000] Linux version 6.12.48+deb13-cloud-amd64 (debian-kernel@lists.debian.org) (x86_64-linux-gnu-gcc-14 (Debian 14.2.0-19) 14.2.0) #1 SMP",
     ConsoleKind::linux_version,
     {{"version", "6.12.48+deb13-cloud-amd64"}}},
    {"[    7.310862] Kernel panic - not syncing: sysrq triggered crash", ConsoleKind::panic, {{"text", "sysrq triggered crash"}}},
    {"[    2.101010] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)",
     ConsoleKind::panic,
     {{"text", "VFS: Unable to mount root fs on unknown-block(0,0)"}}},
    {"[    1.500000] Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b",
     ConsoleKind::init_killed,
     {{"exitcode", "0000000b"}}},
    {"[    2.000000] VFS: Cannot open root device \"vda1\" or unknown-block(0,0): error -6", ConsoleKind::no_root, {{"device", "vda1"}}},
    {"[    2.000000] Run /init as init process failed. Requested init /sbin/nothing failed (error -2).",
     ConsoleKind::no_init,
     {{"path", "/sbin/nothing"}, {"error", "-2"}}},
    {"[    1.070601] Initramfs unpacking failed: uncompression error", ConsoleKind::initrd_failed, {{"text", "uncompression error"}}},
    {"[    1.618503] VFS: Cannot open root device \"\" or unknown-block(0,0): error -19", ConsoleKind::no_root, {{"device", ""}}},
    {"[   11.000001] BUG: kernel NULL pointer dereference, address: 0000000000000000", ConsoleKind::bug, {{"address", "0000000000000000"}}},
    {"[   11.000001] BUG: unable to handle page fault for address: ffffffffc0001000", ConsoleKind::bug, {{"address", "ffffffffc0001000"}}},
    {"[   11.000002] Oops: 0002 [#1] PREEMPT SMP NOPTI", ConsoleKind::oops, {{"text", "0002"}, {"number", "1"}}},
    {"[   11.000002] Oops: Oops: 0002 [#1] SMP NOPTI", ConsoleKind::oops, {{"text", "Oops: 0002"}, {"number", "1"}}},
    {"[   11.000002] general protection fault, probably for non-canonical address 0xdead000000000100: 0000 [#2] PREEMPT SMP",
     ConsoleKind::oops,
     {{"text", ", probably for non-canonical address 0xdead000000000100: 0000"}, {"number", "2"}}},
    {"[  484.224011] INFO: task dd:312 blocked for more than 120 seconds.",
     ConsoleKind::hung_task,
     {{"task", "dd"}, {"pid", "312"}, {"seconds", "120"}}},
    {"[   60.100000] watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [stress:7:401]",
     ConsoleKind::soft_lockup,
     {{"cpu", "1"}, {"seconds", "26"}, {"task", "stress:7"}, {"pid", "401"}}},
    {"[   60.100000] rcu: INFO: rcu_preempt self-detected stall on CPU", ConsoleKind::rcu_stall, {{"flavour", "preempt"}}},
    {"[   33.123456] Memory cgroup out of memory: Killed process 310 (python3) total-vm:120000kB, anon-rss:65000kB, file-rss:4kB, shmem-rss:0kB, UID:0 "
     "pgtables:180kB oom_score_adj:0",
     ConsoleKind::memcg_oom_kill,
     {{"pid", "310"}, {"task", "python3"}}},
    {"[   33.123456] Out of memory: Killed process 97 (a (b) c) total-vm:1kB, anon-rss:1kB",
     ConsoleKind::oom_kill,
     {{"pid", "97"}, {"task", "a (b"}}},
    {"[    5.000000] EXT4-fs error (device vdb): ext4_find_entry:1683: inode #2: comm ls: reading directory lblock 0",
     ConsoleKind::filesystem_error,
     {{"device", "vdb"}}},
    {"[    5.000000] EXT4-fs (vdb): Remounting filesystem read-only", ConsoleKind::filesystem_error, {{"device", "vdb"}}},
    {"[    5.000000] blk_update_request: I/O error, dev vda, sector 2048 op 0x0:(READ) flags 0x0",
     ConsoleKind::io_error,
     {{"device", "vda"}, {"sector", "2048"}}},
    {"[   12.345678] crasher[288]: segfault at 0 ip 000055d0c0de1139 sp 00007ffc0ffee000 error 4 in crasher[55d0c0de1000+1000] likely on CPU 0",
     ConsoleKind::segfault,
     {{"task", "crasher"}, {"pid", "288"}, {"address", "0"}, {"ip", "000055d0c0de1139"}}},
    {"[   12.345678][  T288] traps: crasher[288] trap divide error ip:401136 sp:7ffc0ffee000 error:0 in crasher[401000+1000]",
     ConsoleKind::segfault,
     {{"task", "crasher"}, {"pid", "288"}, {"text", "trap divide error"}, {"ip", "401136"}}},
    {"[   20.000000] reboot: Restarting system", ConsoleKind::restarting, {{"text", "Restarting system"}}},
};

}  // namespace

TEST_CASE("kernel patterns: real lines are known by kind and subject", "[host][console]") {
  const auto index = GENERATE(range(std::size_t{0}, std::size(samples)));
  const auto& sample = samples[index];
  INFO(sample.line);
  const auto line = strip_printk(sample.line);
  REQUIRE(line.has_value());
  const auto match = match_kernel_line(line->text);
  REQUIRE(match.has_value());
  CHECK(to_text(match->row->kind) == to_text(sample.kind));
  CHECK(match->captured == sample.captured);
}

TEST_CASE("kernel patterns: every row has a sample", "[host][console]") {
  // A row that no real line has proved is a guess; those of other machines and rare kernels are listed here by name.
  const std::string_view unproved[] = {"VFS: Cannot open root device {device} ",
                                       "VFS: Unable to mount root fs on {device}",
                                       "Failed to execute {path} (error {error})",
                                       "No working init found",
                                       "BUG: unable to handle kernel {text}",
                                       "kernel BUG at {place}!",
                                       "hard LOCKUP on cpu {cpu}",
                                       "^divide error: {text} [#{number:d}]",
                                       "^invalid opcode: {text} [#{number:d}]",
                                       "^stack segment: {text} [#{number:d}]",
                                       "Internal error: Oops: {text} [#{number:d}]",
                                       "INFO: task {task}:{pid:d} is blocked{text} for more than {seconds:d} seconds.",
                                       "INFO: rcu_{flavour} detected stalls",
                                       "INFO: rcu_{flavour} detected expedited stalls",
                                       "Out of memory (oom_kill_allocating_task): Killed process {pid:d} ({task})",
                                       "Buffer I/O error on dev {device},"};
  for (const auto& row : kernel_patterns()) {
    const bool is_listed = std::find(std::begin(unproved), std::end(unproved), row.pattern) != std::end(unproved);
    const bool has_sample = std::any_of(std::begin(samples), std::end(samples), [&](const Sample& sample) {
      const auto match = match_kernel_line(strip_printk(sample.line)->text);
      return match && match->row == &row;
    });
    INFO(row.pattern);
    CHECK(has_sample != is_listed);
  }
}

TEST_CASE("kernel patterns: lines that mean nothing", "[host][console]") {
  const auto* const text =
      GENERATE("random: crng init done", "Run /init as init process", "EXT4-fs (vda): mounted filesystem with ordered data mode", "",
               "INFO: task :x blocked for more than", "Killed process", "Memory cgroup out of memory: Killed process  (x)");
  CHECK_FALSE(match_kernel_line(text).has_value());
}

TEST_CASE("printk prefix: time, level and caller are taken off, also behind other text", "[host][console]") {
  CHECK(strip_printk("[   12.345678] hello")->kernel_us == 12'345'678);
  CHECK(strip_printk("[   12.345678] hello")->text == "hello");
  CHECK(strip_printk("<3>[    0.000001] hello")->text == "hello");
  CHECK(strip_printk("[12345.000000][ T1234] hello")->text == "hello");
  CHECK(strip_printk("[    1.000000][    C0] hello")->text == "hello");
  CHECK(strip_printk("login: [    1.000000] hello")->text == "hello");
  CHECK(strip_printk("[    1.000000] [drm] hello")->text == "[drm] hello");
}

TEST_CASE("printk prefix: what a service prints has none", "[host][console]") {
  const auto* const line = GENERATE("Kernel panic - not syncing: pretended", "[info] Kernel panic - not syncing", "[1.5] short",
                                    "[ 1.0000001] long", "[", "[]", "");
  CHECK_FALSE(strip_printk(line).has_value());
}

}  // namespace vigil::console
