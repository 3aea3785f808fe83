// Which TCP ports are listened on, and by whom: reported whole whenever that has changed.
//
// Shape:  look() compares with what was reported last; called at the kernel's events and beside every look at the health. Owners are searched for sockets
//         that are new, and again when an owner has gone.
// Source: proc(5) /proc/net/tcp, /proc/PID/fd.
#pragma once

#include "guest/process/listeners.hpp"
#include "guest/report/report_sink.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>

namespace vigil::guest::health {

class ListeningPorts {
public:
  enum class Scope { machine, services };  // services: on a machine that is not ours, only what belongs to a service

  ListeningPorts(ReportSink& sink, Scope scope, std::function<std::string(pid_t)> service_of);
  ListeningPorts(const ListeningPorts&) = delete;
  ListeningPorts& operator=(const ListeningPorts&) = delete;

  void look();
  const protocol::NetReport& now() const { return reported_; }

private:
  struct Owner {
    pid_t pid = 0;  // 0: not found
    std::string process, service;
  };
  void find_owners(const std::vector<process::Listener>& listeners);

  ReportSink& sink_;
  Scope scope_;
  std::function<std::string(pid_t)> service_of_;
  std::map<std::uint64_t, Owner> owners_;  // by inode of the socket
  protocol::NetReport reported_;
};

}  // namespace vigil::guest::health
