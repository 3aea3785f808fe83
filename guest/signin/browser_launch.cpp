#include "guest/signin/browser_launch.hpp"

#include "guest/signin/redaction.hpp"

#include <csignal>
#include <utility>

namespace vigil::guest::signin {

namespace {

std::string last_line(std::string text) {
  text.erase(text.find_last_not_of("\r\n ") + 1);
  return redacted_line(text.substr(text.rfind('\n') + 1, 160));
}

}  // namespace

BrowserLaunch::BrowserLaunch(const streams::ExecHost& host, const std::string& id, const Desktop& desktop, const std::string& user,
                             const std::string& url, std::chrono::milliseconds patience, std::function<void(std::string)> went)
    : host_(host), id_(id), whole_patience_(patience), went_(std::move(went)) {
  vigil::streams::ExecOpening opening;
  opening.argv = desktop.browser;
  opening.argv.push_back(url);
  opening.env = desktop.env;
  opening.user = user;
  opening.detach = true;
  auto started = streams::ExecSession::start(host, id, opening, [this](streams::ExecSession&) { ended(); });
  if (!started) {
    patience_ = host_.loop.after(std::chrono::milliseconds(0), [this, problem = started.error().message()] { tell(problem); });
    return;
  }
  program_ = std::move(*started);
  for (auto& output : program_->outputs()) output.attach(false);   // nobody takes it: the newest is kept
  patience_ = host_.loop.after(patience, [this] { give_up(); });
  look_for_window(desktop, user);
}

BrowserLaunch::~BrowserLaunch() { end_look(); }

void BrowserLaunch::look_for_window(const Desktop& desktop, const std::string& user) {
  vigil::streams::ExecOpening opening;
  opening.argv = desktop.find_window;
  opening.argv.push_back(std::to_string(program_->pid()));
  opening.env = desktop.env;
  opening.user = user;
  auto started = streams::ExecSession::start(host_, id_ + ".window", opening, [this](streams::ExecSession&) { looked(); });
  if (!started) {
    look_problem_ = started.error().message();
    return;
  }
  look_ = std::move(*started);
  for (auto& output : look_->outputs()) output.attach(false);
}

void BrowserLaunch::looked() {
  const auto* const code = std::get_if<protocol::ExitCode>(&*look_->exit());
  if (code != nullptr && code->code == 0) return tell("");
  look_problem_ =
      "the look for its window ended with " + protocol::to_text(*look_->exit()) + ": " + last_line(look_->outputs().back().take());
}

void BrowserLaunch::give_up() {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(whole_patience_).count();
  tell("the browser runs, and no window of it was seen on the display within " + std::to_string(seconds) + " s" +
       (look_problem_.empty() ? "" : "; " + look_problem_));
}

void BrowserLaunch::ended() {
  const auto& exit = *program_->exit();
  if (const auto* code = std::get_if<protocol::ExitCode>(&exit); code != nullptr && code->code == 0) return tell("");
  tell("the browser ended with " + protocol::to_text(exit) + ": " + last_line(program_->outputs().back().take()));
}

void BrowserLaunch::tell(std::string problem) {
  patience_.cancel();
  end_look();
  if (const auto went = std::exchange(went_, nullptr)) went(std::move(problem));
}

/// What waits for a window waits no longer.
void BrowserLaunch::end_look() {
  if (look_ && !look_->exit()) look_->signal(SIGKILL);
}

}  // namespace vigil::guest::signin
