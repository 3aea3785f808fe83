// Keeps on disk what the host has not acknowledged of the crash reports, and gives the next boot what this one could not deliver.
//
// Shape:  crash_queued() and acknowledged() tell it that the outbox has changed; what is unacknowledged after host_grace (at once while the link is down) is written by a process of its own,
//         one at a time. Once the host has everything, the file goes. settle() waits at the end of the machine until what has to be there is there, bounded.
// Errors: trouble() is told each new reason why reports are not kept; it goes on and tries again with the next crash, and every retry_pause.
// Thread: the loop's.
#pragma once

#include "guest/journal/keep_crashes.hpp"
#include "guest/journal/record.hpp"
#include "guest/loop/event_loop.hpp"
#include "guest/process/launcher.hpp"
#include "guest/process/reaper.hpp"
#include "guest/report/outbox.hpp"

#include <chrono>
#include <functional>
#include <set>
#include <string>

namespace vigil::guest::journal {

/// Where the agent of a VM keeps it.
inline constexpr const char* journal_directory = "/var/lib/vigil-guest";

struct JournalTools {
  EventLoop& loop;
  process::Launcher& launcher;
  process::Reaper& reaper;
  report::Outbox& outbox;
  std::function<bool()> link_is_up;
  std::function<void(const std::string& reason)> trouble;
  std::string program = "/proc/self/exe";  // whose first argument `keep-crashes` makes it the writer
  int scale = 1;  // of the deadline for a writer
};

class CrashJournal {
public:
  static constexpr std::chrono::milliseconds host_grace{200}, retry_pause{30'000}, writer_deadline{10'000};

  /// `directory` empty: nothing is kept.
  CrashJournal(JournalTools tools, std::string directory);
  CrashJournal(const CrashJournal&) = delete;
  CrashJournal& operator=(const CrashJournal&) = delete;

  /// What earlier lives have left, oldest first, at most as much as the limits say.
  Contents take_left();
  void crash_queued();
  void acknowledged();
  /// `done` once, when everything unacknowledged is on disk or `limit` has passed.
  void settle(std::chrono::milliseconds limit, std::function<void()> done);

  /// Its process is at work.
  bool is_writing() const { return is_writing_; }

private:
  struct Write {
    Change change;
    std::string payload;
    std::set<Seq> adds;
  };

  void look();
  std::set<Seq> unacknowledged() const;
  Write next_write(const std::set<Seq>& wanted) const;
  /// Whether all of them fit.
  bool add_records(Write& write, const std::set<Seq>& known, std::uint64_t before) const;
  void start(Write write);
  void ended(const process::ProcessEnd& end);
  void overdue();
  void failed(const std::string& reason);
  void finish_settling();

  JournalTools tools_;
  std::string directory_;
  bool has_file_ = false, is_writing_ = false;
  std::uint64_t file_bytes_ = 0;  // of whole records that we have written
  std::set<Seq> on_disk_;  // numbers of this life's outbox
  Write under_way_;
  std::string told_;  // the last reason given to trouble()
  std::function<void()> settled_;
  LoopToken look_timer_, writer_timer_, settle_timer_;
};

}  // namespace vigil::guest::journal
