// Opens a page on the user's desktop: the browser's program with the address as its last word, as that user. Not a key is pressed in it.
//
// Shape:  tells once how it went: the program ended with 0 (an open window has taken the page) or goes on (it is that window); anything else is a problem in words.
// Thread: the loop's.
#pragma once

#include "guest/signin/desktop.hpp"
#include "guest/streams/exec_session.hpp"

#include <chrono>
#include <functional>
#include <memory>
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

private:
  void ended();
  void tell(std::string problem);

  EventLoop& loop_;
  std::shared_ptr<streams::ExecSession> program_;
  std::function<void(std::string)> went_;
  LoopToken patience_;
};

}  // namespace vigil::guest::signin
