// Opens a page on the user's desktop: the browser's program with the address as its last word, as that user. Not a key is pressed in it.
//
// Shape:  tells once how it went: the program ended with 0 (an open window has taken the page), or goes on and a window of it can be seen on the display; anything else is a problem in
//         words, that it has shown none within `patience` too.
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
  ~BrowserLaunch();

  bool is_running() const { return program_ && !program_->exit(); }

private:
  void look_for_window(const Desktop& desktop, const std::string& user);
  void ended();
  void looked();
  void give_up();
  void end_look();
  void tell(std::string problem);

  const streams::ExecHost& host_;
  std::string id_;
  std::chrono::milliseconds whole_patience_;
  std::shared_ptr<streams::ExecSession> program_, look_;
  std::function<void(std::string)> went_;
  std::string look_problem_;
  LoopToken patience_;
};

}  // namespace vigil::guest::signin
