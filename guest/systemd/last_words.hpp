// What a unit wrote last, out of the journal: its format is read by journalctl, in a child with a deadline, and only when something has died or somebody asks.
//
// Shape:  ask() first has journald take in what is on its way (over its own socket), then runs journalctl. `done` is called once, from the loop, with what was found by the
//         deadline, maybe nothing.
// Limits: two children at a time, others wait; beyond max_waiting there are no words.
// Source: journalctl(1); the varlink interface io.systemd.Journal.
#pragma once

#include "guest/loop/event_loop.hpp"
#include "guest/process/launcher.hpp"
#include "guest/process/output_capture.hpp"
#include "guest/process/reaper.hpp"

#include <chrono>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <string>

namespace vigil::guest::systemd {

struct LastWordsPaths {
  std::string journal_socket = "/run/systemd/journal/io.systemd.journal";
  std::string program = "/usr/bin/journalctl";
};

class LastWords {
public:
  using Done = std::function<void(const std::string& words)>;
  static constexpr std::size_t max_running = 2, max_waiting = 32;

  LastWords(EventLoop& loop, process::Launcher& launcher, process::Reaper& reaper, std::chrono::milliseconds patience,
            LastWordsPaths paths = {})
      : loop_(loop), launcher_(launcher), reaper_(reaper), patience_(patience), paths_(std::move(paths)) {}
  LastWords(const LastWords&) = delete;
  LastWords& operator=(const LastWords&) = delete;

  /// `invocation` empty: of all its runs.
  void ask(const std::string& unit, const std::string& invocation, Done done);

private:
  struct Question {
    std::string unit, invocation;
    Done done;
    UniqueFd journal;
    std::unique_ptr<process::OutputCapture> output;
    pid_t child = 0;
    LoopToken answered, deadline;
  };

  void begin(const std::shared_ptr<Question>& question);
  void read(const std::shared_ptr<Question>& question);
  void finish(const std::shared_ptr<Question>& question);

  EventLoop& loop_;
  process::Launcher& launcher_;
  process::Reaper& reaper_;
  std::chrono::milliseconds patience_;
  LastWordsPaths paths_;
  std::list<std::shared_ptr<Question>> running_;
  std::deque<std::shared_ptr<Question>> waiting_;
};

}  // namespace vigil::guest::systemd
