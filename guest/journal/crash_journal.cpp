#include "guest/journal/crash_journal.hpp"

#include "guest/log/log.hpp"
#include "guest/process/small_file.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace vigil::guest::journal {
namespace {

UniqueFd payload_file(const std::string& bytes) {
  UniqueFd file(::memfd_create("crashes", MFD_CLOEXEC));
  for (std::size_t written = 0; file && written < bytes.size();) {
    const ssize_t count = ::write(file.get(), bytes.data() + written, bytes.size() - written);
    if (count <= 0) return UniqueFd();
    written += static_cast<std::size_t>(count);
  }
  return file;
}

std::string reason_of(const protocol::ExitStatus& status) {
  const auto* code = std::get_if<protocol::ExitCode>(&status);
  return code ? std::string(std::strerror(code->code)) : "its writer ended with " + protocol::to_text(status);
}

bool is_clean(const protocol::ExitStatus& status) {
  const auto* code = std::get_if<protocol::ExitCode>(&status);
  return code != nullptr && code->code == 0;
}

}  // namespace

CrashJournal::CrashJournal(JournalTools tools, std::string directory) : tools_(std::move(tools)), directory_(std::move(directory)) {}

Contents CrashJournal::take_left() {
  if (directory_.empty()) return {};
  const auto bytes = process::read_small_file(directory_ + "/" + journal_name, max_journal_bytes);
  if (!bytes) return {};
  has_file_ = true;
  Contents left = read_journal(*bytes);
  if (left.torn > 0 || left.refused > 0) log::warning("journal.damaged", {{"torn_bytes", left.torn}, {"refused", left.refused}});
  return left;
}

void CrashJournal::crash_queued() {
  if (directory_.empty()) return;
  const auto grace = tools_.link_is_up() ? host_grace : std::chrono::milliseconds(0);
  look_timer_ = tools_.loop.after(grace, [this] { look(); });
}

void CrashJournal::acknowledged() {
  if (directory_.empty() || (on_disk_.empty() && !has_file_)) return;
  if (!look_timer_) look_timer_ = tools_.loop.after(host_grace, [this] { look(); });
}

void CrashJournal::settle(std::chrono::milliseconds limit, std::function<void()> done) {
  settled_ = std::move(done);
  settle_timer_ = tools_.loop.after(limit, [this] { finish_settling(); });
  look();
}

std::set<Seq> CrashJournal::unacknowledged() const {
  std::set<Seq> wanted;
  for (const auto* crash : tools_.outbox.crashes()) wanted.insert(crash->seq);
  return wanted;
}

void CrashJournal::look() {
  look_timer_.cancel();
  if (is_writing_) return;   // its end looks again
  const auto wanted = unacknowledged();
  const bool is_kept = std::includes(on_disk_.begin(), on_disk_.end(), wanted.begin(), wanted.end());
  const bool has_spent_file = wanted.empty() && has_file_;
  if (directory_.empty() || (is_kept && !has_spent_file)) return finish_settling();
  start(next_write(wanted));
}

CrashJournal::Write CrashJournal::next_write(const std::set<Seq>& wanted) const {
  if (wanted.empty()) return {Remove{}, {}, {}};
  // The first write of a life is a new file: what it found there is of other lives, and in the outbox by now.
  if (!on_disk_.empty()) {
    Write more{Append{file_bytes_}, {}, {}};
    const bool fits = add_records(more, on_disk_, file_bytes_);
    if (fits && on_disk_.size() + more.adds.size() <= max_records) return more;
  }
  Write anew{Replace{}, {}, {}};   // without what the host has by now
  add_records(anew, {}, 0);
  return anew;
}

bool CrashJournal::add_records(Write& write, const std::set<Seq>& known, std::uint64_t before) const {
  for (const auto* crash : tools_.outbox.crashes()) {
    if (known.contains(crash->seq)) continue;
    const auto record = encode_record(*crash);
    if (write.adds.size() == max_records || before + write.payload.size() + record.size() > max_journal_bytes)
      return false;   // the first ones tell most
    write.payload += record;
    write.adds.insert(crash->seq);
  }
  return true;
}

void CrashJournal::start(Write write) {
  if (std::holds_alternative<Replace>(write.change) && write.adds == on_disk_) return failed("the journal is full");
  const UniqueFd payload = payload_file(write.payload);
  if (!payload) return failed(std::strerror(errno));
  process::LaunchPlan plan;
  plan.argv = {tools_.program, "keep-crashes", directory_, to_text(write.change)};
  plan.passed = {{payload.get(), payload_fd}};
  auto launched = tools_.launcher.launch(plan);
  if (const auto* failure = std::get_if<process::LaunchFailure>(&launched)) {
    if (failure->pid > 0) tools_.reaper.expect(failure->pid, [](const process::ProcessEnd&) {});
    return failed("start a writer: " + std::string(std::strerror(failure->error)));
  }
  is_writing_ = true;
  under_way_ = std::move(write);
  const pid_t pid = std::get<process::Launched>(launched).pid;
  writer_timer_ = tools_.loop.after(writer_deadline * tools_.scale, [this, pid] {
    ::kill(pid, SIGKILL);   // a disk that does not answer may keep it for longer
    overdue();
  });
  tools_.reaper.expect(pid, [this](const process::ProcessEnd& end) { ended(end); });
}

void CrashJournal::ended(const process::ProcessEnd& end) {
  writer_timer_.cancel();
  is_writing_ = false;
  const Write written = std::exchange(under_way_, {});
  if (!is_clean(end.status)) return failed(reason_of(end.status));
  told_.clear();
  const bool added = std::holds_alternative<Append>(written.change);
  has_file_ = !std::holds_alternative<Remove>(written.change);
  if (!added) on_disk_.clear();
  file_bytes_ = (added ? file_bytes_ : 0) + written.payload.size();
  on_disk_.insert(written.adds.begin(), written.adds.end());
  look();
}

void CrashJournal::overdue() { failed("the disk does not answer"); }

void CrashJournal::failed(const std::string& reason) {
  if (std::exchange(told_, reason) != reason) tools_.trouble(reason);
  if (!is_writing_) look_timer_ = tools_.loop.after(retry_pause, [this] { look(); });
  finish_settling();
}

void CrashJournal::finish_settling() {
  settle_timer_.cancel();
  if (auto done = std::exchange(settled_, nullptr)) done();
}

}  // namespace vigil::guest::journal
