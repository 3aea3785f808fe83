// Opens a page on the user's desktop: the browser's program with the address as its last word, as that user. Not a key is pressed in it.
//
// Shape:  tells once how it went: the program ended with 0 (an open window has taken the page), or goes on and a window of it can be seen on the display; anything else is a problem in
//         words, that it has shown none within `patience` too. The display tells of its windows by itself (guest/readiness/x11_window_dialogue).
// Thread: the loop's.
#pragma once

#include "guest/readiness/conversation.hpp"
#include "guest/signin/desktop.hpp"
#include "guest/streams/exec_session.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace vigil::guest::signin {

class BrowserLaunch {
public:
  /// `went` gets "" or the problem; not from inside of the constructor.
  BrowserLaunch(const streams::ExecHost& host, const std::string& id, const Desktop& desktop, const std::string& user,
                const std::string& url, std::chrono::milliseconds patience, std::function<void(std::string)> went);
  BrowserLaunch(const BrowserLaunch&) = delete;
  BrowserLaunch& operator=(const BrowserLaunch&) = delete;

  bool is_running() const { return program_ && !program_->exit(); }
  pid_t pid() const { return program_ ? program_->pid() : 0; }

private:
  void look_for_window(const Desktop& desktop);
  void ended();
  void give_up();
  void tell(std::string problem);

  const streams::ExecHost& host_;
  std::chrono::milliseconds whole_patience_;
  std::shared_ptr<streams::ExecSession> program_;
  std::function<void(std::string)> went_;
  std::optional<readiness::Conversation> display_;
  LoopToken patience_;
};

}  // namespace vigil::guest::signin
