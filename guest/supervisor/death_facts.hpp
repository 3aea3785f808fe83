// Collects, in the moment of a death, what the classifier needs: who is left, whose port it is, what the kernel counted.
//
// Shape:  reads /proc and the cgroup; decides nothing.
#pragma once

#include "guest/evidence/cgroup_pressure.hpp"
#include "guest/evidence/exit_classifier.hpp"
#include "guest/evidence/oom_watch.hpp"
#include "guest/process/output_capture.hpp"
#include "guest/process/process_end.hpp"
#include "shared/service_spec/service_spec.hpp"

#include <functional>
#include <string>
#include <vector>

namespace vigil::guest::supervisor {

struct DeathScene {
  const service_spec::ServiceSpec& spec;
  const process::ProcessEnd& end;
  const std::vector<pid_t>& left;      // living processes of the service
  const process::OutputCapture& out;
  const process::OutputCapture& err;
  evidence::LifeStage stage;
  evidence::OomWatch& oom;
  const evidence::CgroupPressure& pressure;
  evidence::KernelOomLog& oom_log;
  const std::function<std::string(pid_t)>& name_process;
};

evidence::ExitFacts collect_death_facts(const DeathScene& scene);

}  // namespace vigil::guest::supervisor
