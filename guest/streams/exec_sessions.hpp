// All processes that exec streams have started, by id.
//
// Shape:  a session is kept for keep_ended after its process has ended, so that its status can be asked for again; one that nobody is attached to is hung up (SIGHUP, then killed) after
//         keep_unattended, but for those that were started to go on alone.
// Units:  at most max_sessions; the oldest ended one makes room. Errors: Errc::limit, Errc::not_found. Thread: the loop's.
#pragma once

#include "guest/streams/exec_session.hpp"

#include <chrono>
#include <list>
#include <memory>
#include <string>
#include <vector>

namespace vigil::guest::streams {

struct ExecPeriods {
  std::chrono::milliseconds keep_ended{std::chrono::minutes(10)}, keep_unattended{std::chrono::minutes(10)}, hang_up_grace{std::chrono::seconds(10)};
};

class ExecSessions {
public:
  explicit ExecSessions(ExecHost host, ExecPeriods periods = {}) : host_(std::move(host)), periods_(periods) {}
  ExecSessions(const ExecSessions&) = delete;
  ExecSessions& operator=(const ExecSessions&) = delete;

  Result<std::shared_ptr<ExecSession>> start(const vigil::streams::ExecOpening& opening);
  Result<std::shared_ptr<ExecSession>> find(const std::string& id);
  /// The stream has left; how long the session is kept is decided here.
  void unattended(ExecSession& session);
  /// The VM ends: every process is asked to.
  void hang_up_all();
  ExecHost& host() { return host_; }
  std::vector<KeptExec> keep() const;
  /// Before the streams that are attached to them.
  void resume(const std::vector<KeptExec>& kept);

private:
  struct Kept {
    std::shared_ptr<ExecSession> session;
    LoopToken expiry;
  };
  static constexpr std::size_t max_sessions = 256;

  Result<void> make_room();
  Kept* kept(const ExecSession& session);
  void ended(ExecSession& session);
  void hang_up(ExecSession& session);
  void remove(const ExecSession& session);

  ExecHost host_;
  ExecPeriods periods_;
  std::list<Kept> sessions_;      // oldest first
};

}  // namespace vigil::guest::streams
