#include "guest/supervisor/start_order.hpp"

#include <catch2/catch_test_macros.hpp>

#include <map>

namespace vigil::guest::supervisor {
namespace {

constexpr Standing all_standings[] = {Standing::pending, Standing::ready, Standing::unready, Standing::finished,
                                      Standing::stopped, Standing::failed, Standing::unknown};

enum class Relation { after, requires_ready, wants };

StartVerdict judge(Relation relation, Standing standing) {
  service_spec::ServiceSpec spec;
  const std::vector<ServiceName> names{ServiceName("db")};
  if (relation == Relation::after) spec.after = names;
  if (relation == Relation::requires_ready) spec.requires_ready = names;
  if (relation == Relation::wants) spec.wants = names;
  return judge_start(spec, [&](const ServiceName&) { return standing; });
}

TEST_CASE("start order: order alone waits only for what is still on its way", "[guest][supervisor]") {
  for (const Relation relation : {Relation::after, Relation::wants})
    for (const Standing standing : all_standings) {
      const StartVerdict verdict = judge(relation, standing);
      CHECK_FALSE(verdict.failed_dependency);
      CHECK(verdict.waits_for.empty() == (standing != Standing::pending));
    }
}

TEST_CASE("start order: a requirement waits until ready and fails with what cannot come", "[guest][supervisor]") {
  for (const Standing standing : all_standings) {
    const StartVerdict verdict = judge(Relation::requires_ready, standing);
    const bool fails = standing == Standing::failed || standing == Standing::unknown;
    const bool goes = standing == Standing::ready || standing == Standing::finished;
    CHECK(verdict.failed_dependency.has_value() == fails);
    CHECK(verdict.waits_for.empty() == (goes || fails));
  }
}

TEST_CASE("start order: each name that is waited for is told once, the first failure is the one named", "[guest][supervisor]") {
  service_spec::ServiceSpec spec;
  spec.after = {ServiceName("a"), ServiceName("b")};
  spec.requires_ready = {ServiceName("a"), ServiceName("x"), ServiceName("y")};
  const StartVerdict verdict = judge_start(spec, [](const ServiceName& name) { return name.value() < "x" ? Standing::pending : Standing::failed; });
  CHECK(verdict.waits_for == std::vector<std::string>{"a", "b"});
  CHECK(verdict.failed_dependency == ServiceName("x"));
  CHECK(depends_on(spec, ServiceName("b")));
  CHECK_FALSE(depends_on(spec, ServiceName("z")));
}

}  // namespace
}  // namespace vigil::guest::supervisor
