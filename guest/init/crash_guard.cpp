#include "guest/init/crash_guard.hpp"

#include "guest/config/build_identity.hpp"
#include "shared/console/record.hpp"
#include "shared/protocol/codec.hpp"

#include <fcntl.h>
#include <sys/reboot.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstring>

namespace vigil::guest::init {
namespace {

constexpr std::array fatal_signals = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP};
constexpr std::size_t max_pieces = 4;
constexpr std::size_t max_frames = 40, frames_a_line = 8;
constexpr unsigned backtrace_seconds = 2;   // unwinding a broken stack may not end

struct PreparedText { char bytes[280]; std::size_t size; };
struct PreparedRecord { PreparedText pieces[max_pieces]; std::size_t count; };

PreparedRecord records[fatal_signals.size()];
int console = -1;
PreparedText build_line;
alignas(16) char handler_stack[64 * 1024];
std::atomic<const WayBack*> way_back{nullptr};
sigset_t usual_mask;

void prepare_text(PreparedText& prepared, const std::string& text) {
  prepared.size = std::min(text.size(), sizeof prepared.bytes);
  std::memcpy(prepared.bytes, text.data(), prepared.size);
}

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
    prepare_text(prepared.pieces[i], text);
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

[[noreturn]] void restart_machine(int signal) {
  ::reboot(RB_AUTOBOOT);
  ::_exit(128 + signal);   // the kernel panics; the record is out
}

/// What is broken may break the unwinder, too: then, or when it does not end, this is where it ends.
void arm_way_out() {
  struct sigaction action{};
  action.sa_handler = [](int signal) { restart_machine(signal); };
  action.sa_flags = SA_ONSTACK | SA_NODEFER;
  for (const int signal : fatal_signals) ::sigaction(signal, &action, nullptr);
  ::sigaction(SIGALRM, &action, nullptr);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::alarm(backtrace_seconds);
}

struct FrameLine {
  char text[32 + frames_a_line * 17 + 1] = "<2>vigil-guest: frames";
  std::size_t size = 22, frames = 0, in_line = 0;

  void add(unsigned long long address) {
    text[size] = ' ';
    write_hex(text + size + 1, address);
    size += 17;
    ++frames;
    if (++in_line == frames_a_line) flush();
  }
  void flush() {
    if (in_line == 0) return;
    text[size] = '\n';
    [[maybe_unused]] const auto written = ::write(console, text, size + 1);
    size = 22;
    in_line = 0;
  }
};

/// Not async-signal-safe to the letter (it may allocate): after everything that must be said, and with a way out.
void say_backtrace() {
  [[maybe_unused]] const auto written = ::write(console, build_line.bytes, build_line.size);
  FrameLine line;
  _Unwind_Backtrace(
      [](_Unwind_Context* context, void* argument) {
        auto* const out = static_cast<FrameLine*>(argument);
        if (const auto address = _Unwind_GetIP(context); address != 0) out->add(address);
        return out->frames < max_frames ? _URC_NO_REASON : _URC_END_OF_STACK;
      },
      &line);
  line.flush();
}

void write_decimal(char* out, int digits, int value) {
  for (int i = digits - 1; i >= 0; --i, value /= 10) out[i] = static_cast<char>('0' + value % 10);
}

/// Returns when there is none, or when it cannot be taken.
void take_way_back(int signal) {
  const WayBack* const way = way_back.exchange(nullptr);
  if (way == nullptr) return;
  char text[] = "<2>vigil-guest: fatal signal 00; the agent before is taken up again\n";
  write_decimal(std::strstr(text, "00;"), 2, signal);
  [[maybe_unused]] const auto written = ::write(console, text, sizeof text - 1);
  for (std::size_t i = 0; i < way->count; ++i) ::fcntl(way->descriptors[i], F_SETFD, 0);
  ::fcntl(way->state, F_SETFD, 0);
  ::sigprocmask(SIG_SETMASK, &usual_mask, nullptr);   // of a handler all are blocked, and an exec keeps that
  char path[] = "/proc/self/fd/00000", state[] = "00000", number[] = "00";
  write_decimal(path + 14, 5, way->program);
  char* program = path + 14;                          // a name without leading zeros
  while (*program == '0' && program[1] != '\0') ++program;
  std::memmove(path + 14, program, std::strlen(program) + 1);
  write_decimal(state, 5, way->state);
  write_decimal(number, 2, signal);
  char name[] = "vigil-guest", command[] = "resume", none[] = "none";
  char* const argv[] = {name, command, state, none, number, nullptr};
  ::execve(path, argv, environ);
}

void on_fatal_signal(int signal, siginfo_t* info, void* context) {
  take_way_back(signal);
  for (std::size_t i = 0; i < fatal_signals.size(); ++i) {
    if (fatal_signals[i] != signal) continue;
    for (std::size_t piece = 0; piece < records[i].count; ++piece)
      [[maybe_unused]] const auto written = ::write(console, records[i].pieces[piece].bytes, records[i].pieces[piece].size);
  }
  say_where(signal, info, context);
  ::sync();
  arm_way_out();
  say_backtrace();
  restart_machine(signal);
}

}  // namespace

void arm_way_back(const WayBack* way) {
  ::sigprocmask(SIG_SETMASK, nullptr, &usual_mask);
  way_back.store(way);
}

void install_crash_guard(const BootId& boot, int console_fd) {
  console = console_fd;
  for (std::size_t i = 0; i < fatal_signals.size(); ++i) prepare_record(records[i], boot, fatal_signals[i], i);
  prepare_text(build_line, "<2>vigil-guest: build id " + config::build_id() + "\n");
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
