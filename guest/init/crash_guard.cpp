#include "guest/init/crash_guard.hpp"

#include "shared/console/record.hpp"
#include "shared/protocol/codec.hpp"

#include <sys/reboot.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>

namespace vigil::guest::init {
namespace {

constexpr std::array fatal_signals = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP};
constexpr std::size_t max_pieces = 4;

struct PreparedText { char bytes[280]; std::size_t size; };
struct PreparedRecord { PreparedText pieces[max_pieces]; std::size_t count; };

PreparedRecord records[fatal_signals.size()];
int console = -1;
alignas(16) char handler_stack[32 * 1024];

void prepare_record(PreparedRecord& prepared, const BootId& boot, int signal, std::size_t index) {
  protocol::CrashReport report;
  report.crash = "agent-1";
  report.process = "vigil-guest";
  report.pid = 1;
  report.exit = protocol::ExitSignal{signal, false};
  report.cause = protocol::make_cause(protocol::CauseCode::guest_agent_crashed, {}, {protocol::signal_name(signal)});
  const auto lines = vigil::console::make_records(boot, crash_guard_seq + index, protocol::encode_digest(report));
  prepared.count = std::min(lines.size(), max_pieces);
  for (std::size_t i = 0; i < prepared.count; ++i) {
    std::string text = lines[i];
    text.erase(0, text.find_first_not_of('\n'));
    while (text.ends_with('\n')) text.pop_back();
    text.insert(0, "<2>");
    text += '\n';   // without it the kernel holds the record back
    prepared.pieces[i].size = std::min(text.size(), sizeof prepared.pieces[i].bytes);
    std::memcpy(prepared.pieces[i].bytes, text.data(), prepared.pieces[i].size);
  }
}

// From here on: no allocation, no locks, no library calls that are not async-signal-safe.
void write_hex(char* out, unsigned long long value) {
  for (int i = 15; i >= 0; --i, value >>= 4) out[i] = "0123456789abcdef"[value & 15];
}

void say_where(int signal, const siginfo_t* info, const void* context) {
  char text[] = "<2>vigil-guest: fatal signal 00 at ip 0000000000000000 address 0000000000000000; rebooting\n";
  char* const number = std::strstr(text, "00 at");
  number[0] = static_cast<char>('0' + signal / 10);
  number[1] = static_cast<char>('0' + signal % 10);
  const auto* const machine = static_cast<const ucontext_t*>(context);
  write_hex(std::strstr(text, "ip ") + 3, static_cast<unsigned long long>(machine->uc_mcontext.gregs[REG_RIP]));
  write_hex(std::strstr(text, "address ") + 8, reinterpret_cast<unsigned long long>(info->si_addr));
  [[maybe_unused]] const auto written = ::write(console, text, sizeof text - 1);
}

void on_fatal_signal(int signal, siginfo_t* info, void* context) {
  for (std::size_t i = 0; i < fatal_signals.size(); ++i) {
    if (fatal_signals[i] != signal) continue;
    for (std::size_t piece = 0; piece < records[i].count; ++piece)
      [[maybe_unused]] const auto written = ::write(console, records[i].pieces[piece].bytes, records[i].pieces[piece].size);
  }
  say_where(signal, info, context);
  ::sync();
  ::reboot(RB_AUTOBOOT);
  ::_exit(128 + signal);   // the kernel panics; the record is out
}

}  // namespace

void install_crash_guard(const BootId& boot, int console_fd) {
  console = console_fd;
  for (std::size_t i = 0; i < fatal_signals.size(); ++i) prepare_record(records[i], boot, fatal_signals[i], i);
  stack_t stack{};
  stack.ss_sp = handler_stack;
  stack.ss_size = sizeof handler_stack;
  ::sigaltstack(&stack, nullptr);
  struct sigaction action {};
  action.sa_sigaction = on_fatal_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESETHAND;
  sigfillset(&action.sa_mask);
  for (const int signal : fatal_signals) ::sigaction(signal, &action, nullptr);
}

}  // namespace vigil::guest::init
