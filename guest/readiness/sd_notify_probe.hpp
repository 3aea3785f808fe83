// {"sd-notify":{}}: the service sends READY=1 to $NOTIFY_SOCKET.
//
// Only datagrams of the service's own processes count; the kernel says who sent (SCM_CREDENTIALS). A sender that has already gone, as
// systemd-notify in a script, counts when it had the service's user or was root.
// Source: sd_notify(3), unix(7).
#pragma once

#include "guest/readiness/probe.hpp"
#include "guest/readiness/probe_factory.hpp"
#include "shared/base/unique_fd.hpp"

#include <string>
#include <string_view>

namespace vigil::guest::readiness {

struct Notification {
  bool ready = false;
  std::string status;   // of STATUS=, may be empty
};

Notification parse_notification(std::string_view datagram);

class SdNotifyProbe final : public Probe {
public:
  SdNotifyProbe(const ServiceName& service, ProbeTools& tools, ProbeEvents events);
  ~SdNotifyProbe() override;

  Result<void> prepare(process::LaunchPlan& plan) override;
  void begin(const process::ProcessGroup& group) override;
  Kept keep() const override { return {socket_.get(), uid_}; }
  void resume(UniqueFd fd, uid_t uid) override { socket_ = std::move(fd), uid_ = uid; }
  std::string seen() const override { return status_.empty() ? std::string() : "status: " + status_; }

private:
  void receive();
  bool is_of_service(pid_t pid, uid_t uid) const;

  ServiceName service_;
  EventLoop& loop_;
  std::string directory_, path_;
  ProbeEvents events_;
  process::ProcessGroup group_;
  uid_t uid_ = 0;
  std::string status_;
  bool passed_ = false;   // datagrams are still taken after that: a full socket would block the service
  UniqueFd socket_;
  LoopToken token_;
};

}  // namespace vigil::guest::readiness
