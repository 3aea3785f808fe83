#include "guest/supervisor/spec_errors.hpp"

#include <catch2/catch_test_macros.hpp>

namespace vigil::guest::supervisor {
namespace {

TEST_CASE("spec errors: a wrong file is a failed service of its name, its first error the cause", "[guest][supervisor]") {
  const auto error = [](const char* key) {
    return protocol::make_cause(protocol::CauseCode::service_spec_invalid, {{"file", "/etc/vigil/services.d/web.json"}, {"key", key}});
  };
  const auto reports = reports_of_errors({error("exce"), error("user")}, 7);
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].name == ServiceName("web"));
  CHECK(reports[0].state == protocol::ServiceState::failed);
  CHECK(reports[0].since_us == 7);
  CHECK(protocol::field_text(*reports[0].cause, "key") == "exce");
}

TEST_CASE("spec errors: a cycle fails each service in it, once", "[guest][supervisor]") {
  const auto reports = reports_of_errors({protocol::make_cause(protocol::CauseCode::service_dependency_cycle, {{"path", "a -> b -> a"}})}, 0);
  REQUIRE(reports.size() == 2);
  CHECK(reports[0].name == ServiceName("a"));
  CHECK(reports[1].name == ServiceName("b"));
}

}  // namespace
}  // namespace vigil::guest::supervisor
