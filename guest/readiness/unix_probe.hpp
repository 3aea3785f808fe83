// {"unix":{"path":P}}: somebody accepts connections (or takes datagrams) on the Unix socket at the path. Makes no connection.
//
// The file appears with bind(2) and inotify tells; listen(2) follows without an event, so from then on the kernel's table is read with a short
// back-off. A file left behind by an earlier process is in no table and does not count.
// Source: proc(5) /proc/net/unix, flag 0x10000 (__SO_ACCEPTCON).
#pragma once

#include "guest/readiness/path_watch.hpp"
#include "guest/readiness/patience.hpp"
#include "guest/readiness/probe.hpp"
#include "guest/readiness/probe_factory.hpp"

#include <string>
#include <string_view>

namespace vigil::guest::readiness {

enum class UnixSocketState { absent, bound, accepting };

/// Pure: what the table says of the socket bound at `path`.
UnixSocketState find_unix_socket(std::string_view table, std::string_view path);

class UnixProbe final : public Probe {
public:
  UnixProbe(const service_spec::UnixProbe& spec, ProbeTools& tools, ProbeEvents events);

  void begin(const process::ProcessGroup& group) override;
  std::string seen() const override { return seen_; }

private:
  void look();

  std::string path_, seen_;
  EventLoop& loop_;
  ProbeEvents events_;
  PathWatch watch_;
  Patience patience_{std::chrono::milliseconds(1), std::chrono::milliseconds(100)};
  LoopToken retry_;
};

}  // namespace vigil::guest::readiness
