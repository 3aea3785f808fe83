// How a CLI's wish for a browser reaches the agent: a program of this binary stands in for the browser, and hands the address over on a Unix socket. No shell.
//
// Shape:  OpenUrlDoor makes a directory that goes first into the CLI's PATH: links of this program under the names by which a browser is asked for, and the socket.
//         The peer must be the user of the sign-in (or root); one line of at most max_url_bytes each.
// Errors: Errc of the system. Thread: the loop's.
#pragma once

#include "guest/loop/event_loop.hpp"
#include "shared/base/result.hpp"
#include "shared/base/unique_fd.hpp"

#include <sys/types.h>

#include <functional>
#include <list>
#include <memory>
#include <string>

namespace vigil::guest::signin {

/// Where the stand-in finds the socket.
inline constexpr const char* open_url_variable = "VIGIL_OPEN_URL";

class OpenUrlDoor {
public:
  /// `directory` is made, and removed with everything in it; `program` is what the links point to.
  static Result<std::unique_ptr<OpenUrlDoor>> open(EventLoop& loop, std::string directory, const std::string& program, uid_t user,
                                                   std::function<void(std::string)> asked);
  OpenUrlDoor(EventLoop& loop, std::string directory, uid_t user, std::function<void(std::string)> asked)
      : loop_(loop), directory_(std::move(directory)), user_(user), asked_(std::move(asked)) {}
  OpenUrlDoor(const OpenUrlDoor&) = delete;
  OpenUrlDoor& operator=(const OpenUrlDoor&) = delete;
  ~OpenUrlDoor();

  std::string program() const { return directory_ + "/open-url"; }
  std::string socket() const { return directory_ + "/url.sock"; }
  const std::string& directory() const { return directory_; }

private:
  struct Visitor {
    UniqueFd fd;
    std::string line;
    LoopToken io, deadline;
  };
  using Place = std::list<Visitor>::iterator;

  Result<void> set_up(const std::string& program);
  void let_in();
  void hear(Place visitor);

  EventLoop& loop_;
  std::string directory_;
  uid_t user_;
  std::function<void(std::string)> asked_;
  UniqueFd listener_;
  LoopToken token_;
  std::list<Visitor> visitors_;
};

/// `vigil-guest open-url URL`, run by the CLI: the exit code.
int hand_over_url(const std::string& url);

}  // namespace vigil::guest::signin
