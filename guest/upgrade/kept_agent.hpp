// All that one life of the agent leaves to the next when its program is replaced: plain values, and descriptors by number.
#pragma once

#include "guest/boot/handover.hpp"
#include "guest/egress/egress_proxy.hpp"
#include "guest/process/output_tail.hpp"
#include "guest/streams/stream_server.hpp"
#include "guest/supervisor/kept_service.hpp"

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace vigil::guest::upgrade {

struct KeptLog {
  process::KeptTail out, err;
  friend bool operator==(const KeptLog&, const KeptLog&) = default;
};

struct KeptAgent {
  std::uint64_t request = 0;                 // of the host, to be answered by whichever agent is there in the end
  std::string from_build, to_build;
  std::string boot;
  boot::Handover line;                       // numbers, reports, welcome, link
  std::string cgroup_root, tracefs, image;   // as they were found at boot
  std::vector<std::string> problems;
  bool was_ready = false, told_failure = false;
  supervisor::KeptSupervisor supervisor;
  std::map<std::string, KeptLog> logs;
  std::vector<streams::KeptExec> execs;
  std::vector<pid_t> file_workers;
  streams::StreamServer::Kept streams;
  std::optional<egress::EgressProxy::Kept> egress;
  friend bool operator==(const KeptAgent&, const KeptAgent&) = default;
};

}  // namespace vigil::guest::upgrade
