#include "guest/readiness/probe_factory.hpp"

#include "guest/readiness/dialogue_probe.hpp"
#include "guest/readiness/exec_probe.hpp"
#include "guest/readiness/file_probe.hpp"
#include "guest/readiness/http_dialogue.hpp"
#include "guest/readiness/notify_fd_probe.hpp"
#include "guest/readiness/rfb_dialogue.hpp"
#include "guest/readiness/sd_notify_probe.hpp"
#include "guest/readiness/stable_for_probe.hpp"
#include "guest/readiness/tcp_probe.hpp"
#include "guest/readiness/unix_probe.hpp"
#include "guest/readiness/websocket_dialogue.hpp"
#include "guest/readiness/x11_probe.hpp"

#include <utility>
#include <variant>

namespace vigil::guest::readiness {
namespace {

// No catch-all: an alternative of ProbeSpec without a row here does not compile.
struct ProbeMaker {
  const ServiceName& service;
  ProbeTools& tools;
  ProbeEvents events;

  using Made = std::unique_ptr<Probe>;
  Made operator()(const service_spec::NotifyFdProbe& spec) { return std::make_unique<NotifyFdProbe>(spec, tools, std::move(events)); }
  Made operator()(const service_spec::SdNotifyProbe&) { return std::make_unique<SdNotifyProbe>(service, tools, std::move(events)); }
  Made operator()(const service_spec::TcpProbe& spec) { return std::make_unique<TcpProbe>(spec, tools, std::move(events)); }
  Made operator()(const service_spec::UnixProbe& spec) { return std::make_unique<UnixProbe>(spec, tools, std::move(events)); }
  Made operator()(const service_spec::FileProbe& spec) { return std::make_unique<FileProbe>(spec, tools, std::move(events)); }
  Made operator()(const service_spec::HttpProbe& spec) { return with_dialogue<HttpDialogue>(spec); }
  Made operator()(const service_spec::WebsocketProbe& spec) { return with_dialogue<WebsocketDialogue>(spec); }
  Made operator()(const service_spec::RfbProbe& spec) { return with_dialogue<RfbDialogue>(spec); }
  Made operator()(const service_spec::X11Probe& spec) { return std::make_unique<X11Probe>(spec, tools, events); }
  Made operator()(const service_spec::StableForProbe& spec) { return std::make_unique<StableForProbe>(spec, tools, std::move(events)); }
  Made operator()(const service_spec::ExecProbe& spec) { return std::make_unique<ExecProbe>(spec, tools, std::move(events)); }

  template <class Spoken, class Spec>
  Made with_dialogue(const Spec& spec) {
    return std::make_unique<DialogueProbe>(spec.port, spec.address, std::make_unique<Spoken>(spec), tools, events);
  }
};

}  // namespace

std::unique_ptr<Probe> make_probe(const service_spec::ProbeSpec& spec, const ServiceName& service, ProbeTools& tools, ProbeEvents events) {
  return std::visit(ProbeMaker{service, tools, std::move(events)}, spec);
}

}  // namespace vigil::guest::readiness
