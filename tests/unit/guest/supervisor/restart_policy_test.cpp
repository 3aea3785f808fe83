#include "guest/supervisor/restart_policy.hpp"

#include <catch2/catch_test_macros.hpp>

namespace vigil::guest::supervisor {
namespace {

using protocol::CauseCode;
using service_spec::RestartSpec;
using service_spec::RestartWhen;
using std::chrono::milliseconds;
using Kind = RestartVerdict::Kind;

constexpr MonoUs second = 1'000'000;

Death failure_at(MonoUs at_us, MonoUs ready_for_us = 0, int code = 1) {
  return {Death::Kind::failure, at_us, ready_for_us, protocol::make_cause(CauseCode::service_exited, {{"code", std::int64_t{code}}})};
}

RestartSpec spec_of(RestartWhen when, std::uint32_t exits = 100) {
  RestartSpec spec;
  spec.when = when;
  spec.loop_exits = exits;
  return spec;
}

TEST_CASE("restart policy: the first death after a healthy second restarts at once", "[guest][supervisor]") {
  RestartPolicy policy(spec_of(RestartWhen::on_failure));
  CHECK(policy.judge(failure_at(10 * second, healthy_us)).kind == Kind::restart_now);
}

TEST_CASE("restart policy: without it the back-off doubles from 100 ms to 30 s and stays there", "[guest][supervisor]") {
  RestartPolicy policy(spec_of(RestartWhen::on_failure));
  std::vector<long> delays;
  for (MonoUs i = 0; i < 12; ++i) {
    const RestartVerdict verdict = policy.judge(failure_at(i * 100 * second, healthy_us - 1));
    CHECK(verdict.kind == Kind::restart_later);
    delays.push_back(verdict.delay.count());
  }
  CHECK(delays == std::vector<long>{100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000, 30000});
}

TEST_CASE("restart policy: health resets the back-off", "[guest][supervisor]") {
  RestartPolicy policy(spec_of(RestartWhen::on_failure));
  policy.judge(failure_at(1 * second));
  policy.judge(failure_at(100 * second));
  CHECK(policy.judge(failure_at(200 * second, 5 * second)).kind == Kind::restart_now);
  CHECK(policy.judge(failure_at(300 * second)).delay == milliseconds(100));
}

TEST_CASE("restart policy: too many deaths in the window is a crash loop that keeps its first cause", "[guest][supervisor]") {
  RestartPolicy policy(spec_of(RestartWhen::always, 3));
  CHECK(policy.judge(failure_at(1 * second, 0, 41)).kind == Kind::restart_later);
  CHECK(policy.judge(failure_at(2 * second, 0, 42)).kind == Kind::restart_later);
  const RestartVerdict verdict = policy.judge(failure_at(3 * second, 0, 43));
  CHECK(verdict.kind == Kind::give_up);
  CHECK(verdict.cause.text == "service.crash_loop");
  CHECK(protocol::field_text(verdict.cause, "first") == "service.exited");
  REQUIRE_FALSE(verdict.cause.evidence.empty());
  CHECK(verdict.cause.evidence[0] == "it exited with code 41");
}

TEST_CASE("restart policy: a healthy service that dies again and again loops too", "[guest][supervisor]") {
  RestartPolicy policy(spec_of(RestartWhen::always, 3));
  policy.judge(failure_at(10 * second, 2 * second));
  policy.judge(failure_at(20 * second, 2 * second));
  CHECK(policy.judge(failure_at(30 * second, 2 * second)).cause.text == "service.crash_loop");
}

TEST_CASE("restart policy: deaths outside the window do not count", "[guest][supervisor]") {
  RestartPolicy policy(spec_of(RestartWhen::always, 3));
  for (MonoUs i = 0; i < 20; ++i) CHECK(policy.judge(failure_at(i * 31 * second)).kind == Kind::restart_later);
}

TEST_CASE("restart policy: who asked for nothing else gets nothing else", "[guest][supervisor]") {
  const protocol::Cause cause = protocol::make_cause(CauseCode::service_exited, {{"code", std::int64_t{0}}});
  const auto judge = [&](RestartWhen when, Death::Kind kind) { return RestartPolicy(spec_of(when)).judge({kind, second, 0, cause}).kind; };
  CHECK(judge(RestartWhen::never, Death::Kind::failure) == Kind::give_up);
  CHECK(judge(RestartWhen::never, Death::Kind::finished) == Kind::finished);
  CHECK(judge(RestartWhen::on_failure, Death::Kind::finished) == Kind::finished);
  CHECK(judge(RestartWhen::on_failure, Death::Kind::failure) == Kind::restart_later);
  CHECK(judge(RestartWhen::always, Death::Kind::finished) == Kind::restart_later);
  for (const RestartWhen when : {RestartWhen::never, RestartWhen::on_failure, RestartWhen::always})
    CHECK(judge(when, Death::Kind::hopeless) == Kind::give_up);
}

TEST_CASE("restart policy: a start by hand forgives", "[guest][supervisor]") {
  RestartPolicy policy(spec_of(RestartWhen::always, 2));
  policy.judge(failure_at(1 * second));
  policy.forget();
  CHECK(policy.judge(failure_at(2 * second)).kind == Kind::restart_later);
}

}  // namespace
}  // namespace vigil::guest::supervisor
