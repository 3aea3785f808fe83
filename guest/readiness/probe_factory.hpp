// From what a service file says to the probe that does it. Adding a probe: one file, one row here, one alternative of ProbeSpec.
#pragma once

#include "guest/loop/event_loop.hpp"
#include "guest/process/launcher.hpp"
#include "guest/process/reaper.hpp"
#include "guest/readiness/listener_watch.hpp"
#include "guest/readiness/probe.hpp"
#include "shared/service_spec/service_spec.hpp"

#include <functional>
#include <memory>
#include <string>

namespace vigil::guest::readiness {

/// What probes share; outlives them all.
struct ProbeTools {
  EventLoop& loop;
  process::Launcher& launcher;
  process::Reaper& reaper;
  ListenerWatch& listeners;
  int deadline_scale = 1;
  std::string runtime_dir;
  std::function<std::string(pid_t)> name_process;   // "web (pid 31)": the service's name where it is one of ours, else the comm
};

std::unique_ptr<Probe> make_probe(const service_spec::ProbeSpec& spec, const ServiceName& service, ProbeTools& tools, ProbeEvents events);

}  // namespace vigil::guest::readiness
