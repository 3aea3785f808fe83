// One sign-in as it happens: the CLI on its terminal, what it shows, the browser, the credential file; the machine decides, this does.
//
// Shape:  lives from the opening of its stream until the CLI has gone; told() reports go to the sink, display gets the terminal's bytes, finished() is called once, from the loop, with
//         the credential or none. Cancelling it is a finish too.
// Errors: start(): Errc::not_found for a user or a CLI that the image does not have. Thread: the loop's.
#pragma once

#include "guest/process/accounts.hpp"
#include "guest/readiness/path_watch.hpp"
#include "guest/report/report_sink.hpp"
#include "guest/signin/browser_launch.hpp"
#include "guest/signin/callback_watch.hpp"
#include "guest/signin/credential_file.hpp"
#include "guest/signin/machine.hpp"
#include "guest/signin/open_url.hpp"
#include "guest/signin/screen.hpp"
#include "guest/signin/screen_answers.hpp"
#include "guest/streams/exec_session.hpp"
#include "shared/streams/opening.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace vigil::guest::signin {

/// What every sign-in needs of the agent.
struct SignInHost {
  streams::ExecHost& exec;
  ReportSink& reports;
  std::string directory;  // of the agent's own, where doors for addresses are made
  std::string program;  // this binary, as the user can execute it
  int deadline_scale = 1;  // of waits for programs, not for the user
  std::string home{};  // in place of the user's own; empty: as the accounts say
};

/// A credential that waits for the host to take it.
struct HeldCredential {
  std::string bytes;
  vigil::signin::CredentialFacts facts;
  std::string home, user;
  std::string_view path;  // of the table
  uid_t owner = 0;
  FileMark mark;
};

struct SignInEvents {
  std::function<void(std::string_view)> display;
  std::function<void()> input_drained;
  std::function<void(std::optional<HeldCredential>)> finished;
  std::function<void()> gone;  // the CLI's process too: it may be destroyed
};

class SignIn final : private streams::ExecListener {
public:
  static Result<std::unique_ptr<SignIn>> start(SignInHost& host, const vigil::streams::SigninRunOpening& opening,
                                               const vigil::signin::ProviderRow& provider, SignInEvents events);
  SignIn(SignInHost& host, const vigil::streams::SigninRunOpening& opening, const vigil::signin::ProviderRow& provider,
         process::Account account, SignInEvents events);
  SignIn(const SignIn&) = delete;
  SignIn& operator=(const SignIn&) = delete;
  ~SignIn() override;

  void type(std::string_view bytes) { cli_->write_input(bytes); }
  bool wants_input() const { return cli_->wants_input(); }
  void cancel(std::string by) { happened(Cancelled{std::move(by)}); }
  bool is_finished() const { return state_.finished; }
  pid_t pid() const { return cli_->pid(); }
  const std::string& user() const { return opening_.user; }
  const vigil::signin::ProviderRow& provider() const { return *state_.provider; }

private:
  void session_changed() override;
  void input_drained() override { events_.input_drained(); }
  void replaced() override {}

  Result<void> launch();
  vigil::streams::ExecOpening cli_opening() const;
  void tell_started(const std::string& program);
  void look_at_screen();
  void answer_screen(const std::vector<Line>& lines);
  void look_for_urls();
  void look_for_credential();
  void take_credential(const FileMark& mark);
  void look_for_callback();

  void happened(const Event& event);
  void perform(const TellStep& step);
  void perform(const OpenBrowser& open);
  void perform(const Arm& arm);
  void perform(const Disarm& disarm) { timers_.erase(disarm.timer); }
  void perform(const LookForCredential&) { look_for_credential(); }
  void perform(const WatchCallback& watch);
  void perform(const Finish& finish);
  void add_evidence(protocol::Cause& cause) const;
  void stop_cli();
  void tell_gone();

  SignInHost& host_;
  vigil::streams::SigninRunOpening opening_;
  process::Account account_;
  std::optional<Desktop> desktop_;
  SignInEvents events_;
  State state_;
  Screen screen_;
  ScreenAnswers answers_;
  const vigil::signin::ScreenAnswer* pending_ = nullptr;  // seen once
  std::unique_ptr<OpenUrlDoor> door_;
  std::shared_ptr<streams::ExecSession> cli_;
  std::optional<BrowserLaunch> browser_;
  std::optional<CallbackWatch> callback_;
  readiness::PathWatch file_watch_;
  std::optional<FileMark> before_, last_;  // the file as it was when this began, and at the last look
  std::string trap_;  // why a file was not read
  std::optional<HeldCredential> held_;
  std::map<Timer, LoopToken> timers_;
  LoopToken screen_look_, file_look_, callback_look_, kill_, leave_;
  bool told_exit_ = false, told_gone_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace vigil::guest::signin
