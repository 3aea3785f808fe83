#include "guest/streams/opener.hpp"

#include "guest/streams/exec_stream.hpp"
#include "guest/streams/log_follow.hpp"
#include "guest/streams/tcp_forward.hpp"

namespace vigil::guest::streams {

namespace {

using Made = std::unique_ptr<Operation>;

class Opener {
public:
  Opener(EventLoop& loop, ExecSessions& sessions, FileWorkers& workers, process::OutputLogs& logs, Stream& stream, const Opening& opening)
      : loop_(loop), sessions_(sessions), workers_(workers), logs_(logs), stream_(stream), opening_(opening) {}

  Made operator()(const ExecOpening& exec) const {
    const auto session = sessions_.start(exec);
    if (!session || !exec.detach) return attach(session);
    stream_.accept(exec_facts(**session));
    stream_.finish();
    return nullptr;
  }
  Made operator()(const AttachOpening& attach_to) const { return attach(sessions_.find(attach_to.exec)); }
  Made operator()(const TcpOpening& tcp) const { return std::make_unique<TcpForward>(loop_, stream_, tcp); }
  Made operator()(const FileReadOpening&) const { return hand_over(); }
  Made operator()(const FileWriteOpening&) const { return hand_over(); }
  Made operator()(const DirListOpening&) const { return hand_over(); }
  Made operator()(const DirWatchOpening&) const { return hand_over(); }
  Made operator()(const LogFollowOpening& log) const { return LogFollow::open(loop_, stream_, logs_, log); }

  // Sign-ins have a folder of their own, which comes before this table.
  Made operator()(const SigninRunOpening&) const { return not_here(); }
  Made operator()(const SigninTakeOpening&) const { return not_here(); }
  Made operator()(const SigninForgetOpening&) const { return not_here(); }

private:
  Made not_here() const {
    stream_.refuse(Error(Errc::unsupported, "this agent signs nobody in"));
    return nullptr;
  }
  Made attach(const Result<std::shared_ptr<ExecSession>>& session) const {
    if (session) return std::make_unique<ExecStream>(stream_, sessions_, *session);
    stream_.refuse(session.error());
    return nullptr;
  }
  Made hand_over() const {
    workers_.hand_over(stream_, opening_);
    return nullptr;
  }

  EventLoop& loop_;
  ExecSessions& sessions_;
  FileWorkers& workers_;
  process::OutputLogs& logs_;
  Stream& stream_;
  const Opening& opening_;
};

}  // namespace

Stream::Opener make_opener(EventLoop& loop, ExecSessions& sessions, FileWorkers& workers, process::OutputLogs& logs) {
  return [&loop, &sessions, &workers, &logs](Stream& stream, const Opening& opening) {
    return std::visit(Opener(loop, sessions, workers, logs, stream, opening), opening);
  };
}

StreamServer::Reviver make_reviver(EventLoop& loop, ExecSessions& sessions, process::OutputLogs& logs) {
  return [&loop, &sessions, &logs](Stream& stream, const KeptOperation& kept) -> Made {
    if (const auto* log = std::get_if<KeptLogFollow>(&kept)) return std::make_unique<LogFollow>(loop, stream, logs, *log);
    if (const auto* bridge = std::get_if<KeptBridge>(&kept)) return std::make_unique<ResumedBridge>(loop, stream, *bridge);
    const auto* exec = std::get_if<KeptExecStream>(&kept);
    const auto session = exec ? sessions.find(exec->id) : Result<std::shared_ptr<ExecSession>>(Error(Errc::not_found, "no operation"));
    return session ? std::make_unique<ExecStream>(stream, sessions, *session, *exec) : nullptr;
  };
}

}  // namespace vigil::guest::streams
