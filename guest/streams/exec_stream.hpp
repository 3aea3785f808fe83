// A stream that is attached to a program: its output to the host, the host's input, signals and window sizes to it.
#pragma once

#include "guest/streams/exec_sessions.hpp"
#include "guest/streams/stream.hpp"

#include <memory>
#include <set>

namespace vigil::guest::streams {

class ExecStream final : public Operation, private ExecListener {
public:
  ExecStream(Stream& stream, ExecSessions& sessions, std::shared_ptr<ExecSession> session);
  /// One that goes on in another life of the agent: its opening has been answered.
  ExecStream(Stream& stream, ExecSessions& sessions, std::shared_ptr<ExecSession> session, const KeptExecStream& kept);
  ~ExecStream() override;
  void received(Chunk chunk) override;
  void can_send() override { push(); }
  std::optional<KeptOperation> keep() const override { return KeptExecStream{session_->id(), {ended_.begin(), ended_.end()}, over_}; }

private:
  void session_changed() override { push(); }
  void input_drained() override { stream_.pause_input(false); }
  void replaced() override;
  void push();
  void control(const std::string& json_text);

  Stream& stream_;
  ExecSessions& sessions_;
  std::shared_ptr<ExecSession> session_;
  std::set<Channel> ended_;
  bool over_ = false;
};

/// What the answer to the opening tells of a session.
std::string exec_facts(ExecSession& session);

}  // namespace vigil::guest::streams
