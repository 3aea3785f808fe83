#include "guest/readiness/x11_probe.hpp"

#include "guest/readiness/x11_dialogue.hpp"
#include "guest/readiness/x11_window_dialogue.hpp"

namespace vigil::guest::readiness {
namespace {

std::uint16_t display_port(const service_spec::X11Probe& spec) { return static_cast<std::uint16_t>(6000 + spec.display); }
std::string display_path(const service_spec::X11Probe& spec) { return "/tmp/.X11-unix/X" + std::to_string(spec.display); }

Endpoint display_endpoint(const service_spec::X11Probe& spec) {
  return spec.address.empty() ? unix_endpoint(display_path(spec)) : tcp_endpoint(spec.address, display_port(spec));
}

protocol::CauseField display_place(const service_spec::X11Probe& spec) {
  if (spec.address.empty()) return display_path(spec);
  return std::int64_t{display_port(spec)};
}

/// The display, where the service is one that draws on it.
bool is_anybodys(const service_spec::X11Probe& spec) { return spec.window_manager || spec.window; }

}  // namespace

X11Probe::X11Probe(const service_spec::X11Probe& spec, ProbeTools& tools, const ProbeEvents& events)
    : spec_(spec),
      tools_(tools),
      conversation_(display_endpoint(spec), make_dialogue(), tools.loop, tools.deadline_scale, events,
                    [this](int socket) { return check_peer(socket); }) {
  ProbeEvents socket_events{[this] { conversation_.start(); }, events.finding_changed};
  if (spec.address.empty())
    path_.emplace(service_spec::UnixProbe{display_path(spec)}, tools, std::move(socket_events));
  else
    listener_.emplace(display_port(spec), spec.address, tools, std::move(socket_events),
                      is_anybodys(spec) ? Whose::anybodys : Whose::own);
}

std::unique_ptr<Dialogue> X11Probe::make_dialogue() const {
  if (!spec_.window) return std::make_unique<X11Dialogue>(spec_, display_place(spec_));
  return std::make_unique<X11WindowDialogue>(display_place(spec_), [this](pid_t pid) { return group_.contains(pid); });
}

void X11Probe::begin(const process::ProcessGroup& group) {
  group_ = group;
  if (path_)
    path_->begin(group);
  else
    listener_->begin(group);
}

std::optional<protocol::Cause> X11Probe::finding() const {
  if (conversation_.finding()) return conversation_.finding();
  return listener_ ? listener_->finding() : std::nullopt;
}

std::string X11Probe::seen() const { return conversation_.seen().empty() && path_ ? path_->seen() : conversation_.seen(); }

std::optional<protocol::Cause> X11Probe::check_peer(int socket) const {
  if (!path_ || is_anybodys(spec_)) return std::nullopt;
  ucred peer{};   // of the process that called listen(2)
  socklen_t length = sizeof peer;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0 || peer.pid == 0 || group_.contains(peer.pid)) return std::nullopt;
  return protocol::make_cause(protocol::CauseCode::service_display_taken,
                              {{"display", service_spec::display_text(spec_)}, {"holder", tools_.name_process(peer.pid)}});
}

}  // namespace vigil::guest::readiness
