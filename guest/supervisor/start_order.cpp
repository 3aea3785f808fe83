#include "guest/supervisor/start_order.hpp"

#include <algorithm>
#include <cstdlib>

namespace vigil::guest::supervisor {
namespace {

enum class Answer { go, wait, fail };

Answer ask_required(Standing standing) {
  switch (standing) {
    case Standing::ready:
    case Standing::finished: return Answer::go;
    case Standing::pending:
    case Standing::unready:
    case Standing::stopped: return Answer::wait;
    case Standing::failed:
    case Standing::unknown: return Answer::fail;
  }
  std::abort();
}

Answer ask_order_only(Standing standing) { return standing == Standing::pending ? Answer::wait : Answer::go; }

bool holds(const std::vector<ServiceName>& names, const ServiceName& name) { return std::find(names.begin(), names.end(), name) != names.end(); }

}  // namespace

StartVerdict judge_start(const service_spec::ServiceSpec& spec, const StandingOf& standing_of) {
  StartVerdict verdict;
  const auto wait_for = [&](const ServiceName& name) {
    if (std::find(verdict.waits_for.begin(), verdict.waits_for.end(), name.value()) == verdict.waits_for.end())
      verdict.waits_for.push_back(name.value());
  };
  for (const ServiceName& name : spec.requires_ready) {
    const Answer answer = ask_required(standing_of(name));
    if (answer == Answer::fail && !verdict.failed_dependency) verdict.failed_dependency = name;
    if (answer == Answer::wait) wait_for(name);
  }
  for (const auto* names : {&spec.after, &spec.wants})
    for (const ServiceName& name : *names)
      if (ask_order_only(standing_of(name)) == Answer::wait) wait_for(name);
  return verdict;
}

bool depends_on(const service_spec::ServiceSpec& spec, const ServiceName& dependency) {
  return holds(spec.requires_ready, dependency) || holds(spec.after, dependency) || holds(spec.wants, dependency);
}

}  // namespace vigil::guest::supervisor
