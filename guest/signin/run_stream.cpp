#include "guest/signin/run_stream.hpp"

#include <utility>

namespace vigil::guest::signin {

using vigil::streams::Channel;

void SignIns::RunStream::received(streams::Chunk chunk) {
  if (chunk.channel != Channel::data || chunk.is_end()) return;
  Running* const running = sign_ins_.running(session_);
  if (running == nullptr || !running->sign_in || running->sign_in->is_finished()) return;
  running->sign_in->type(chunk.bytes);
  if (!running->sign_in->wants_input()) stream_.pause_input(true);
}

void SignIns::RunStream::display(std::string_view bytes) {
  if (over_) return;
  tell_lost();
  if (stream_.has_room())
    stream_.send(Channel::out, bytes);
  else
    lost_ += bytes.size();
}

void SignIns::RunStream::tell_lost() {
  if (over_ || lost_ == 0 || !stream_.has_room()) return;
  stream_.tell(vigil::streams::Lost{Channel::out, std::exchange(lost_, 0)});
}

void SignIns::RunStream::finish(const vigil::streams::Control& last) {
  if (std::exchange(over_, true)) return;
  stream_.end(Channel::out);
  stream_.finish(last);
}

}  // namespace vigil::guest::signin
