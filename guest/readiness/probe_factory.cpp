#include "guest/readiness/probe_factory.hpp"

#include "guest/readiness/exec_probe.hpp"
#include "guest/readiness/file_probe.hpp"
#include "guest/readiness/http_probe.hpp"
#include "guest/readiness/notify_fd_probe.hpp"
#include "guest/readiness/sd_notify_probe.hpp"
#include "guest/readiness/tcp_probe.hpp"
#include "guest/readiness/unix_probe.hpp"

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
  Made operator()(const service_spec::HttpProbe& spec) { return std::make_unique<HttpProbe>(spec, tools, std::move(events)); }
  Made operator()(const service_spec::ExecProbe& spec) { return std::make_unique<ExecProbe>(spec, tools, std::move(events)); }
};

}  // namespace

std::unique_ptr<Probe> make_probe(const service_spec::ProbeSpec& spec, const ServiceName& service, ProbeTools& tools, ProbeEvents events) {
  return std::visit(ProbeMaker{service, tools, std::move(events)}, spec);
}

}  // namespace vigil::guest::readiness
