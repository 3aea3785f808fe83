// One process that was started by an exec stream, with its input and output; it outlives the stream.
//
// Shape:  start() launches it; a listener (the stream) attaches, takes output and is told of changes; without one the output is kept, bounded. The exit status is known
//         from the reaper or not at all.
// Errors: start(): those of plan_exec; Errc::not_found or denied when the kernel does not execute it; Errc::io.
// Thread: the loop's.
#pragma once

#include "guest/process/cgroup.hpp"
#include "guest/process/launcher.hpp"
#include "guest/process/reaper.hpp"
#include "guest/streams/input_sink.hpp"
#include "guest/streams/output_source.hpp"
#include "guest/streams/terminal.hpp"
#include "shared/protocol/report.hpp"
#include "shared/streams/opening.hpp"

#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace vigil::guest::streams {

/// What every session needs of the agent.
struct ExecHost {
  EventLoop& loop;
  process::Launcher& launcher;
  process::Reaper& reaper;
  std::string cgroup_root;                      // as SupervisorOptions::cgroup_root
  std::map<std::string, std::string> env;
};

class ExecListener {
public:
  virtual ~ExecListener() = default;
  virtual void session_changed() = 0;
  virtual void input_drained() = 0;
  /// Another stream has attached.
  virtual void replaced() = 0;
};

class ExecSession {
public:
  static Result<std::shared_ptr<ExecSession>> start(const ExecHost& host, std::string id, const vigil::streams::ExecOpening& opening,
                                                    std::function<void(ExecSession&)> exited);
  /// One that the life of the agent before had; its death, if it has died meanwhile, is told in the loop's next turn.
  static std::shared_ptr<ExecSession> resume(const ExecHost& host, const KeptExec& kept, std::function<void(ExecSession&)> exited);
  KeptExec keep() const;
  ExecSession(const ExecHost& host, std::string id, bool alone, std::function<void(ExecSession&)> exited);
  ExecSession(const ExecSession&) = delete;
  ExecSession& operator=(const ExecSession&) = delete;
  ~ExecSession();

  void attach(ExecListener& listener);
  void detach(const ExecListener& listener);
  bool is_attached() const { return listener_ != nullptr; }

  std::list<OutputSource>& outputs() { return outputs_; }
  /// Known, and every byte of output is in outputs().
  const std::optional<protocol::ExitStatus>& exit() const { return exit_; }
  bool has_output_ended() const;

  void write_input(std::string_view bytes);
  bool wants_input() const { return input_.wants_more(); }
  void end_input();
  void signal(int number);
  void resize(const vigil::streams::TerminalSize& size);

  const std::string& id() const { return id_; }
  pid_t pid() const { return pid_; }
  /// Started to go on by itself.
  bool goes_on_alone() const { return alone_; }

private:
  Result<void> launch(const vigil::streams::ExecOpening& opening);
  Result<void> open_pipes(process::LaunchPlan& plan, std::list<UniqueFd>& theirs, bool with_stdin);
  Result<void> use_terminal(process::LaunchPlan& plan, std::list<UniqueFd>& theirs, const vigil::streams::TerminalSize& size);
  void continue_from(const KeptExec& kept);
  void drain_outputs();
  void add_output(vigil::streams::Channel channel, UniqueFd fd);
  void died(const process::ProcessEnd& end);
  void changed();
  void finish_input_if_drained();

  const ExecHost& host_;
  std::string id_;
  bool alone_;
  std::function<void(ExecSession&)> exited_;
  pid_t pid_ = 0;
  process::Cgroup cgroup_;
  std::list<OutputSource> outputs_;
  UniqueFd terminal_, input_fd_;
  InputSink input_;
  bool input_ending_ = false;
  std::optional<protocol::ExitStatus> exit_;
  ExecListener* listener_ = nullptr;
  LoopToken terminal_grace_;
};

}  // namespace vigil::guest::streams
