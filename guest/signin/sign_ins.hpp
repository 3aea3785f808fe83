// All sign-ins of this VM by session: those that run, and the credentials that wait for the host.
//
// Shape:  serves the streams signin.run, signin.take, signin.forget. A held credential outlives its stream and the link; it is forgotten when the host says that it has committed this very
//         one, or after keep_held, its file with it either way. Nothing is allocated while there is none.
// Units:  at most max_sign_ins of both. Errors: Errc::conflict for a session or a user and provider that is there already, Errc::not_found, Errc::limit.
// Thread: the loop's.
#pragma once

#include "guest/signin/sign_in.hpp"
#include "guest/streams/stream.hpp"

#include <chrono>
#include <list>
#include <memory>
#include <string>

namespace vigil::guest::signin {

class SignIns {
public:
  static constexpr std::size_t max_sign_ins = 4;

  SignIns(SignInHost host, std::chrono::milliseconds keep_held = std::chrono::hours(1)) : host_(std::move(host)), keep_held_(keep_held) {}
  SignIns(const SignIns&) = delete;
  SignIns& operator=(const SignIns&) = delete;
  ~SignIns();

  SignInHost& host() { return host_; }
  /// None runs, and no credential waits for the host.
  bool is_idle() const { return running_.empty() && held_.empty(); }
  /// Streams of this folder by this, all others by `others`.
  streams::Stream::Opener opener(streams::Stream::Opener others);

private:
  class RunStream;
  struct Running {
    std::string session;
    std::unique_ptr<SignIn> sign_in;
    RunStream* stream = nullptr;  // gone: the host has closed it
    bool is_over = false;  // how it ended is told; its CLI may still be going
  };
  struct Held {
    std::string session;
    HeldCredential credential;
    LoopToken expiry;
  };

  std::unique_ptr<streams::Operation> run(streams::Stream& stream, const vigil::streams::SigninRunOpening& opening);
  void take(streams::Stream& stream, const vigil::streams::SigninTakeOpening& opening);
  void forget(streams::Stream& stream, const vigil::streams::SigninForgetOpening& opening);
  Result<void> check_room(const vigil::streams::SigninRunOpening& opening, const vigil::signin::ProviderRow& provider) const;
  SignInEvents events_of(const std::string& session);
  void finished(const std::string& session, std::optional<HeldCredential> held);
  void left(RunStream& stream, const std::string& session);
  Running* running(const std::string& session);
  Held* held(const std::string& session);
  void drop(const std::string& session);
  void lose(std::string session);

  SignInHost host_;
  std::chrono::milliseconds keep_held_;
  std::list<Running> running_;
  std::list<Held> held_;
};

}  // namespace vigil::guest::signin
