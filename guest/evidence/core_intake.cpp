#include "guest/evidence/core_intake.hpp"

#include "guest/core_dump/message.hpp"
#include "guest/log/log.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace vigil::guest::evidence {
namespace {

constexpr int backlog = 64;
constexpr int messages_per_turn = 256;

bool is_roots(int connection) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == 0 || peer.uid == ::geteuid());
}

MonoUs started_us(const CoreVictim& victim) {
  const auto ticks_a_second = static_cast<std::uint64_t>(std::max(1L, ::sysconf(_SC_CLK_TCK)));
  return victim.start_ticks * 1'000'000 / ticks_a_second;
}

/// The kernel calls a core whole only when somebody read all of it; we take what we need and let the victim go.
void complete(protocol::CrashReport& report, const CoreVictim& victim) {
  report.victim = victim.facts;
  if (auto* signal = std::get_if<protocol::ExitSignal>(&report.exit)) signal->core = true;
  if (report.started_us == 0) report.started_us = started_us(victim);
  if (report.process.empty()) report.process = victim.comm;
}

}  // namespace

CoreIntake::CoreIntake(EventLoop& loop, ReportSink& sink, std::chrono::milliseconds patience)
    : loop_(loop), sink_(sink), patience_(patience) {}

Result<void> CoreIntake::listen(const std::string& socket_path) {
  const auto failed = [&](const char* step) { return Error(Errc::unavailable, socket_path + ": " + step + ": " + std::strerror(errno)); };
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof address.sun_path) return Error(Errc::unavailable, socket_path + ": too long for a socket");
  std::memcpy(address.sun_path, socket_path.c_str(), socket_path.size());
  UniqueFd listener(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!listener) return failed("socket");
  ::unlink(socket_path.c_str());
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return failed("bind");
  if (::chmod(socket_path.c_str(), 0600) != 0) return failed("chmod");
  if (::listen(listener.get(), backlog) != 0) return failed("listen");
  listener_ = std::move(listener);
  acceptable_ = loop_.watch(listener_.get(), EPOLLIN, [this](std::uint32_t) { accept_all(); });
  return {};
}

void CoreIntake::accept_all() {
  for (;;) {
    UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!connection) return;
    if (crashes_.size() >= max_crashes || !is_roots(connection.get())) {
      log::warning("core.refused", {{"refused", ++refused_}, {"open", crashes_.size()}});
      continue;
    }
    const auto traces = std::count_if(crashes_.begin(), crashes_.end(), [](const Crash& each) { return each.connection && !each.is_brief; });
    const Place crash = crashes_.emplace(crashes_.end());
    crash->is_brief = static_cast<std::size_t>(traces) >= max_traces;
    crash->connection = std::move(connection);
    crash->deadline = loop_.after(patience_, [this, crash] { ended(crash, "the time was up"); });
    crash->readable = loop_.watch(crash->connection.get(), EPOLLIN, [this, crash](std::uint32_t) { read_all(crash); });
  }
}

void CoreIntake::read_all(Place crash) {
  char message[core_dump::max_message_bytes];
  for (int count = 0; count < messages_per_turn; ++count) {
    const ssize_t length = ::recv(crash->connection.get(), message, sizeof message, 0);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0 && errno == EAGAIN) return;
    if (length <= 0) return ended(crash, crash->story.victim() ? "the helper ended before it was done" : "");
    crash->story.add({message, static_cast<std::size_t>(length)});
    if (!crash->story.victim() || std::exchange(crash->is_announced, true)) continue;
    loop_.post([this, pid = crash->story.victim()->pid] { tell_if_elsewhere(pid); });
    if (crash->is_brief) return ended(crash, "too many crashes at once");
  }
}

void CoreIntake::tell_if_elsewhere(pid_t pid) {
  const Place crash = find(pid);
  if (crash != crashes_.end() && crash->id.empty() && crash->story.victim()->parent != ::getpid()) tell(pid);
}

void CoreIntake::tell_unclaimed(pid_t pid) {
  tell(pid);
  if (const Place crash = find(pid); crash != crashes_.end() && crash->id.empty()) crashes_.erase(crash);
}

void CoreIntake::tell(pid_t pid) {
  if (!unreported_) return;
  const CoreVictim victim = *find(pid)->story.victim();
  process::ProcessEnd end;
  end.pid = pid;
  end.status = protocol::ExitSignal{victim.signal, true};
  end.comm = victim.comm;
  end.cgroup = victim.cgroup;
  end.ended_us = loop_.now_us();
  unreported_(end);                  // comes back through submit() and gives the crash its id
  told_.emplace_back(pid, loop_.now_us());
  if (told_.size() > max_crashes) told_.pop_front();
}

bool CoreIntake::was_told(std::int64_t pid) const {
  const MonoUs now = loop_.now_us(), recent = static_cast<MonoUs>(patience_.count()) * 1000;
  return std::any_of(told_.begin(), told_.end(), [&](const auto& told) { return told.first == pid && now - told.second < recent; });
}

void CoreIntake::ended(Place crash, const std::string& unfinished) {
  crash->readable.cancel();
  crash->connection.reset();
  crash->unfinished = unfinished;
  if (!crash->story.victim()) {
    crashes_.erase(crash);
    return;
  }
  if (!crash->id.empty()) return drop_if_done(crash);
  // Its death is reported any moment.
  crash->deadline = loop_.after(patience_ / 6, [this, pid = crash->story.victim()->pid] { tell_unclaimed(pid); });
}

void CoreIntake::drop_if_done(Place crash) {
  if (crash->connection || crash->id.empty()) return;
  if (crash->story.odd_messages() > 0) log::warning("core.odd_messages", {{"crash", crash->id}, {"count", crash->story.odd_messages()}});
  sink_.submit(crash->story.trace(crash->id, crash->unfinished));
  crashes_.erase(crash);
}

CoreIntake::Place CoreIntake::find(std::int64_t pid) {
  return std::find_if(crashes_.begin(), crashes_.end(),
                      [pid](const Crash& crash) { return crash.story.victim() && crash.story.victim()->pid == pid; });
}

Seq CoreIntake::submit(protocol::ReportBody body) {
  auto* const report = std::get_if<protocol::CrashReport>(&body);
  const auto* const signal = report == nullptr ? nullptr : std::get_if<protocol::ExitSignal>(&report->exit);
  if (signal == nullptr || report->pid <= 0 || !listener_) return sink_.submit(std::move(body));
  if (was_told(report->pid)) return 0;
  accept_all();                      // the helper wrote before the victim could die: it is there, read or not
  for (Place crash = crashes_.begin(); crash != crashes_.end();) {
    const Place next = std::next(crash);
    if (!crash->story.victim()) read_all(crash);
    crash = next;
  }
  const Place crash = find(report->pid);
  if (crash == crashes_.end() || !crash->id.empty() || crash->story.victim()->signal != signal->signal)
    return sink_.submit(std::move(body));
  complete(*report, *crash->story.victim());
  crash->id = report->crash;
  const Seq seq = sink_.submit(std::move(body));
  loop_.post([this, pid = report->pid] {
    if (const Place told = find(pid); told != crashes_.end()) drop_if_done(told);
  });
  return seq;
}

}  // namespace vigil::guest::evidence
