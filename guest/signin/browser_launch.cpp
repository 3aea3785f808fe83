#include "guest/signin/browser_launch.hpp"

#include "guest/signin/redaction.hpp"

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
    : loop_(host.loop), went_(std::move(went)) {
  vigil::streams::ExecOpening opening;
  opening.argv = desktop.browser;
  opening.argv.push_back(url);
  opening.env = desktop.env;
  opening.user = user;
  opening.detach = true;
  auto started = streams::ExecSession::start(host, id, opening, [this](streams::ExecSession&) { ended(); });
  if (!started) {
    patience_ = loop_.after(std::chrono::milliseconds(0), [this, problem = started.error().message()] { tell(problem); });
    return;
  }
  program_ = std::move(*started);
  for (auto& output : program_->outputs()) output.attach(false);   // nobody takes it: the newest is kept
  patience_ = loop_.after(patience, [this] { tell(""); });
}

void BrowserLaunch::ended() {
  const auto& exit = *program_->exit();
  if (const auto* code = std::get_if<protocol::ExitCode>(&exit); code != nullptr && code->code == 0) return tell("");
  tell("the browser ended with " + protocol::to_text(exit) + ": " + last_line(program_->outputs().back().take()));
}

void BrowserLaunch::tell(std::string problem) {
  patience_.cancel();
  if (const auto went = std::exchange(went_, nullptr)) went(std::move(problem));
}

}  // namespace vigil::guest::signin
