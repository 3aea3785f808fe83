#include "guest/signin/browser_launch.hpp"

#include "guest/readiness/x11_window_dialogue.hpp"
#include "guest/signin/redaction.hpp"

#include <csignal>
#include <utility>

namespace vigil::guest::signin {

namespace {

constexpr int slow_display = 5;   // times the two seconds of a local service

std::string last_line(std::string text) {
  text.erase(text.find_last_not_of("\r\n ") + 1);
  return redacted_line(text.substr(text.rfind('\n') + 1, 160));
}

}  // namespace

BrowserLaunch::BrowserLaunch(const streams::ExecHost& host, const std::string& id, const Desktop& desktop, const std::string& user,
                             const std::string& url, std::chrono::milliseconds patience, std::function<void(std::string)> went)
    : host_(host), whole_patience_(patience), went_(std::move(went)) {
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
  look_for_window(desktop);
}

void BrowserLaunch::look_for_window(const Desktop& desktop) {
  auto is_its_own = [pid = program_->pid()](pid_t process) { return process == pid; };
  auto dialogue = std::make_unique<readiness::X11WindowDialogue>(desktop.display_socket, std::move(is_its_own));
  // The display, if it is slow to answer, is asked again until our own patience ends.
  readiness::ProbeEvents events{[this] { patience_ = host_.loop.after(std::chrono::milliseconds(0), [this] { tell(""); }); }, [] {}};
  display_.emplace(readiness::unix_endpoint(desktop.display_socket), std::move(dialogue), host_.loop, slow_display, std::move(events));
  display_->start();
}

void BrowserLaunch::give_up() {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(whole_patience_).count();
  tell("the browser runs, and no window of it was seen on the display within " + std::to_string(seconds) + " s" +
       (!display_ || display_->seen().empty() ? "" : "; " + redacted_line(display_->seen())));
}

void BrowserLaunch::ended() {
  const auto& exit = *program_->exit();
  if (const auto* code = std::get_if<protocol::ExitCode>(&exit); code != nullptr && code->code == 0) return tell("");
  tell("the browser ended with " + protocol::to_text(exit) + ": " + last_line(program_->outputs().back().take()));
}

void BrowserLaunch::tell(std::string problem) {
  patience_.cancel();
  display_.reset();
  if (const auto went = std::exchange(went_, nullptr)) went(std::move(problem));
}

}  // namespace vigil::guest::signin
