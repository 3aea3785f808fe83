// Waits for a socket file to appear, by inotify.
//
// Shape:  poll fd(); when it is readable ask appeared(). The socket file is made by bind(2), an instant before listen(2): whoever connects does so
//         from a program that is not even executed yet.
// Errors: make: those of the system.
#pragma once

#include "shared/base/result.hpp"
#include "shared/base/unique_fd.hpp"

#include <string>

namespace vigil::shim {

class SocketWatch {
public:
  static Result<SocketWatch> make(const std::string& path);

  int fd() const { return inotify_.get(); }
  bool appeared();

private:
  SocketWatch(UniqueFd inotify, std::string path) : inotify_(std::move(inotify)), path_(std::move(path)) {}

  UniqueFd inotify_;
  std::string path_;
};

}  // namespace vigil::shim
