#include "guest/readiness/own_listener.hpp"

#include <utility>

namespace vigil::guest::readiness {

using protocol::CauseCode;
using protocol::make_cause;

OwnListener::OwnListener(std::uint16_t port, std::string address, ProbeTools& tools, ProbeEvents events, Whose whose)
    : port_(port), address_(std::move(address)), whose_(whose), tools_(tools), events_(std::move(events)) {}

void OwnListener::begin(const process::ProcessGroup& group) {
  group_ = group;
  subscription_ = tools_.listeners.subscribe(port_, [this] { look(); });   // before the first look, so that nothing falls between
  look();
}

void OwnListener::look() {
  bool found = false;
  std::optional<protocol::Cause> seen = judge(process::read_listeners(port_), found);
  if (found) {
    subscription_ = {};
    finding_.reset();
    events_.passed();
    return;
  }
  if (seen == finding_) return;
  finding_ = std::move(seen);
  events_.finding_changed();
}

std::optional<protocol::Cause> OwnListener::judge(const std::vector<process::Listener>& listeners, bool& found) const {
  std::optional<protocol::Cause> obstacle;
  if (listeners.empty()) return obstacle;
  const std::vector<pid_t> members = group_.members();
  for (const process::Listener& listener : listeners) {
    const bool serves = process::serves_address(listener, address_);
    if (whose_ == Whose::anybodys || process::find_socket_owner(listener.inode, members)) {
      found = found || serves;
      if (!serves)
        obstacle = make_cause(CauseCode::service_wrong_address,
                              {{"port", std::int64_t{port_}}, {"wanted", address_}, {"found", listener.address_text()}});
    } else if (!obstacle && process::stands_in_the_way(listener, address_)) {
      const auto holder = process::find_socket_owner(listener.inode, process::all_pids());
      if (holder)
        obstacle = make_cause(CauseCode::service_port_taken, {{"port", std::int64_t{port_}}, {"holder", tools_.name_process(*holder)}});
    }
  }
  return found ? std::nullopt : obstacle;
}

}  // namespace vigil::guest::readiness
