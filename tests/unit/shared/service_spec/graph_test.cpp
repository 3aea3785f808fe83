#include "tests/unit/shared/service_spec/specs.hpp"

#include <catch2/catch_test_macros.hpp>

namespace vigil::service_spec {

using specs::file;
using specs::names;
using specs::problems;

namespace {

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("order: dependencies come first, whatever the order of the files", "[shared][service_spec]") {
  const auto set =
      parse_service_specs({file("a", R"("requires":["b"])"), file("b", R"("after":["c"])"), file("c", R"("wants":["d"])"), file("d")});
  CHECK(problems(set).empty());
  CHECK(names(set) == Texts{"d", "c", "b", "a"});
}

TEST_CASE("order: a wanted service need not exist, a required one must", "[shared][service_spec]") {
  CHECK(problems(parse_service_specs({file("a", R"("wants":["ghost"])")})).empty());
  const auto set = parse_service_specs({file("a", R"("requires":["b","ghost"],"after":["wraith"])"), file("b")});
  CHECK(problems(set) == Texts{"after[0]: there is no service 'wraith'", "requires[1]: there is no service 'ghost'"});
  CHECK(names(set) == Texts{"b"});
}

TEST_CASE("order: a circle is named once, as a path, and leaves out only its members", "[shared][service_spec]") {
  const auto set = parse_service_specs({file("a", R"("requires":["b"])"), file("b", R"("after":["c"])"), file("c", R"("wants":["a"])"),
                                        file("d", R"("after":["a"])"), file("e")});
  CHECK(problems(set) == Texts{"service.dependency_cycle a -> b -> c -> a"});
  CHECK(names(set) == Texts{"d", "e"});
}

TEST_CASE("order: a service that needs itself is the smallest circle", "[shared][service_spec]") {
  CHECK(problems(parse_service_specs({file("a", R"("after":["a"])")})) == Texts{"service.dependency_cycle a -> a"});
}

TEST_CASE("order: two circles are two errors", "[shared][service_spec]") {
  const auto set = parse_service_specs(
      {file("a", R"("after":["b"])"), file("b", R"("after":["a"])"), file("x", R"("after":["y"])"), file("y", R"("after":["x"])")});
  CHECK(problems(set) == Texts{"service.dependency_cycle a -> b -> a", "service.dependency_cycle x -> y -> x"});
}

TEST_CASE("order: who requires a broken service is kept; it fails when it would start", "[shared][service_spec]") {
  const auto set = parse_service_specs({file("a", R"("requires":["b"])"), file("b", R"("cwd":7)")});
  CHECK(names(set) == Texts{"a"});
  CHECK(set.services[0].requires_ready.at(0).value() == "b");
  CHECK(problems(set).size() == 1);
}

TEST_CASE("order: two files of one name", "[shared][service_spec]") {
  const auto set = parse_service_specs({{"/a/web.json", file("web").text, std::nullopt}, {"/b/web.json", file("web").text, std::nullopt}});
  CHECK(problems(set) == Texts{"name: another file defines 'web' too"});
  CHECK(names(set) == Texts{"web"});
}

TEST_CASE("order: a chain of 2048 services", "[shared][service_spec]") {
  std::vector<SpecSource> sources;
  for (int i = 0; i < 2048; ++i)
    sources.push_back(file("s" + std::to_string(i), i == 2047 ? "" : R"("after":["s)" + std::to_string(i + 1) + R"("])"));
  const auto set = parse_service_specs(sources);
  CHECK(set.services.size() == 2048);
  CHECK(set.services.front().name.value() == "s2047");
}

}  // namespace vigil::service_spec
