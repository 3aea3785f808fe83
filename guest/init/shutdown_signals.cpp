#include "guest/init/shutdown_signals.hpp"

#include "guest/process/small_file.hpp"

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace vigil::guest::init {
namespace {

using Kind = protocol::ByeReport::Kind;

// argv without its directories: "busybox reboot", "reboot"; a zombie has only its comm.
std::string command_of(std::int64_t pid) {
  if (pid <= 0) return {};
  const std::string folder = "/proc/" + std::to_string(pid);
  std::string words = process::read_small_file(folder + "/cmdline", 256).value_or("");
  if (words.empty()) words = process::read_small_file(folder + "/comm", 64).value_or("");
  while (!words.empty() && (words.back() == '\0' || words.back() == '\n')) words.pop_back();
  for (char& c : words)
    if (c == '\0') c = ' ';
  const std::size_t first_word = std::min(words.find(' '), words.size());
  const std::size_t slash = words.rfind('/', first_word);
  return slash == std::string::npos ? words : words.substr(slash + 1);
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
