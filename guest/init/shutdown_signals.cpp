#include "guest/init/shutdown_signals.hpp"

#include "guest/process/small_file.hpp"

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>

namespace vigil::guest::init {
namespace {

using Kind = protocol::ByeReport::Kind;

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// Pure: /proc/PID/cmdline as "reboot", or "busybox reboot" for programs that are many. No other argument: it may hold what is nobody's business.
std::string command_name(const std::string& cmdline) {
  const std::size_t end = std::min(cmdline.find('\0'), cmdline.size());
  const std::string name = base_name(cmdline.substr(0, end));
  if ((name != "busybox" && name != "vigil-guest") || end + 1 >= cmdline.size()) return name;
  const std::string rest = cmdline.substr(end + 1);
  return name + ' ' + rest.substr(0, rest.find('\0'));
}

std::string command_of(std::int64_t pid) {
  if (pid <= 0) return {};
  const std::string folder = "/proc/" + std::to_string(pid);
  if (const auto cmdline = process::read_small_file(folder + "/cmdline", 256); cmdline && !cmdline->empty()) return command_name(*cmdline);
  std::string comm = process::read_small_file(folder + "/comm", 64).value_or("");   // all that a zombie has
  while (comm.ends_with('\n')) comm.pop_back();
  return comm;
}

bool is_called_reboot(std::string_view command) {
  return command == "reboot" || command.starts_with("reboot ") || command.ends_with(" reboot") || command.find(" reboot ") != command.npos;
}

}  // namespace

ShutdownAsk meaning_of(int signal, std::int64_t sender_pid, std::string_view sender) {
  ShutdownAsk ask;
  if (signal == SIGINT || (signal == SIGTERM && is_called_reboot(sender))) ask.kind = Kind::reboot;
  ask.asked_by = sender_pid > 0 ? "pid " + std::to_string(sender_pid) + (sender.empty() ? "" : " (" + std::string(sender) + ")")
                                : "signal " + protocol::signal_name(signal);
  return ask;
}

ShutdownSignals::ShutdownSignals(EventLoop& loop, std::function<void(const ShutdownAsk&)> asked) : asked_(std::move(asked)) {
  sigset_t wanted;
  sigemptyset(&wanted);
  for (const int signal : {SIGTERM, SIGINT, SIGPWR, SIGUSR1, SIGUSR2}) sigaddset(&wanted, signal);
  sigprocmask(SIG_BLOCK, &wanted, &previous_mask_);
  signals_.reset(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
  token_ = loop.watch(signals_.get(), EPOLLIN, [this](std::uint32_t) { take(); });
}

ShutdownSignals::~ShutdownSignals() { sigprocmask(SIG_SETMASK, &previous_mask_, nullptr); }

void ShutdownSignals::take() {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
    const auto pid = static_cast<std::int64_t>(info.ssi_pid);
    asked_(meaning_of(static_cast<int>(info.ssi_signo), pid, command_of(pid)));
  }
}

}  // namespace vigil::guest::init
