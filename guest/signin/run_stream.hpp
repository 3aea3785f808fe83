// The stream of a running sign-in: its terminal to the host, what the host types to it. A slow reader misses output, counted; it never holds the sign-in up.
#pragma once

#include "guest/signin/sign_ins.hpp"

namespace vigil::guest::signin {

class SignIns::RunStream final : public streams::Operation {
public:
  RunStream(SignIns& sign_ins, streams::Stream& stream, std::string session)
      : sign_ins_(sign_ins), stream_(stream), session_(std::move(session)) {}
  RunStream(const RunStream&) = delete;
  RunStream& operator=(const RunStream&) = delete;
  ~RunStream() override { sign_ins_.left(*this, session_); }

  void received(streams::Chunk chunk) override;
  void can_send() override { tell_lost(); }
  void display(std::string_view bytes);
  void input_drained() { stream_.pause_input(false); }
  /// The last word.
  void finish(const vigil::streams::Control& last);

private:
  void tell_lost();

  SignIns& sign_ins_;
  streams::Stream& stream_;
  std::string session_;
  std::uint64_t lost_ = 0;
  bool over_ = false;
};

}  // namespace vigil::guest::signin
