// Waits until a process of the service listens on a port at an address that serves the one asked for. Makes no connection.
//
// Shape:  begin() looks at once and then at every hint of the ListenerWatch. A listener of the service on another address is service.wrong_address,
//         a foreign one that stands in its way service.port_taken; both may still turn into success.
#pragma once

#include "guest/process/listeners.hpp"
#include "guest/process/process_group.hpp"
#include "guest/readiness/probe.hpp"
#include "guest/readiness/probe_factory.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace vigil::guest::readiness {

enum class Whose { own, anybodys };

class OwnListener {
public:
  OwnListener(std::uint16_t port, std::string address, ProbeTools& tools, ProbeEvents events, Whose whose = Whose::own);

  void begin(const process::ProcessGroup& group);
  const std::optional<protocol::Cause>& finding() const { return finding_; }

private:
  void look();
  std::optional<protocol::Cause> judge(const std::vector<process::Listener>& listeners, bool& found) const;

  std::uint16_t port_;
  std::string address_;
  Whose whose_;
  ProbeTools& tools_;
  ProbeEvents events_;
  process::ProcessGroup group_;
  std::optional<protocol::Cause> finding_;
  ListenerWatch::Subscription subscription_;
};

}  // namespace vigil::guest::readiness
