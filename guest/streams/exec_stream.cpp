#include "guest/streams/exec_stream.hpp"

#include "shared/streams/control.hpp"

#include <utility>

namespace vigil::guest::streams {

std::string exec_facts(ExecSession& session) {
  std::string sent;
  for (const auto& output : session.outputs()) {
    if (!sent.empty()) sent += ',';
    sent += "\"" + std::to_string(static_cast<int>(output.channel())) + "\":" + std::to_string(output.taken());
  }
  return "{\"exec\":\"" + session.id() + "\",\"pid\":" + std::to_string(session.pid()) + ",\"sent\":{" + sent + "}}";
}

ExecStream::ExecStream(Stream& stream, ExecSessions& sessions, std::shared_ptr<ExecSession> session)
    : stream_(stream), sessions_(sessions), session_(std::move(session)) {
  stream_.accept(exec_facts(*session_));
  session_->attach(*this);
  push();
}

ExecStream::ExecStream(Stream& stream, ExecSessions& sessions, std::shared_ptr<ExecSession> session, const KeptExecStream& kept)
    : stream_(stream), sessions_(sessions), session_(std::move(session)), ended_(kept.ended.begin(), kept.ended.end()), over_(kept.over) {
  if (over_) return;
  session_->attach(*this);
  stream_.pause_input(!session_->wants_input());
  push();
}

ExecStream::~ExecStream() {
  session_->detach(*this);
  sessions_.unattended(*session_);
}

void ExecStream::received(Chunk chunk) {
  if (chunk.channel == Channel::control && !chunk.is_end()) return control(chunk.bytes);
  if (chunk.channel != Channel::data) return;
  if (chunk.is_end()) return session_->end_input();
  session_->write_input(chunk.bytes);
  if (!session_->wants_input()) stream_.pause_input(true);
}

void ExecStream::control(const std::string& json_text) {
  const auto message = decode_control(json_text);
  if (!message) return;   // of a newer host
  if (const auto* signal = std::get_if<Signal>(&*message)) session_->signal(signal->number);
  if (const auto* resize = std::get_if<Resize>(&*message)) session_->resize(resize->size);
}

void ExecStream::replaced() {
  over_ = true;
  stream_.finish(Problem{Errc::conflict, "another client has attached to " + session_->id()});
}

void ExecStream::push() {
  if (over_) return;
  bool all_sent = true;
  for (auto& output : session_->outputs()) {
    if (const auto lost = output.take_lost()) stream_.tell(Lost{output.channel(), lost});
    while (stream_.has_room() && !output.is_empty()) stream_.send(output.channel(), output.take());
    if (!output.is_empty() || !output.has_ended()) all_sent = false;
    else if (ended_.insert(output.channel()).second) stream_.end(output.channel());
  }
  if (!all_sent || !session_->exit()) return;
  over_ = true;
  stream_.finish(Exit{*session_->exit()});
}

}  // namespace vigil::guest::streams
