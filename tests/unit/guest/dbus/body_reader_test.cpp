#include "guest/dbus/body_reader.hpp"

#include "tests/unit/guest/dbus/wire_builder.hpp"

#include <catch2/catch_test_macros.hpp>

#include <string>
#include <vector>

namespace vigil::guest::dbus {

using vigil::guest::dbus::test::Wire;

TEST_CASE("dbus body: numbers of every size come with their sign", "[guest][dbus]") {
  const Wire wire = Wire().y(7).fixed<std::int16_t>(-3).u(4'000'000'000).i(-5).t(1ULL << 40).fixed<std::int64_t>(-1);
  BodyReader reader(wire.bytes(), "ynuitx");
  REQUIRE(reader.number() == 7);
  REQUIRE(static_cast<std::int64_t>(reader.number()) == -3);
  REQUIRE(reader.number() == 4'000'000'000);
  REQUIRE(static_cast<std::int64_t>(reader.number()) == -5);
  REQUIRE(reader.number() == 1ULL << 40);
  REQUIRE(static_cast<std::int64_t>(reader.number()) == -1);
  REQUIRE_FALSE(reader.failed());
  REQUIRE(reader.next() == '\0');
}

TEST_CASE("dbus body: a dictionary of variants is read and what is left of an element is skipped", "[guest][dbus]") {
  Wire wire;
  wire.array(8, [](Wire& entries) {
    entries.text_entry("Id", "web.service");
    entries.entry("Job", "(uo)", [](Wire& job) { job.align(8).u(12).s("/job/12"); });
    entries.entry("List", "a(st)", [](Wire& list) { list.array(8, [](Wire& row) { row.align(8).s("a").t(1).align(8).s("b").t(2); }); });
  });
  BodyReader reader(wire.bytes(), "a{sv}");
  std::vector<std::string> names;
  std::uint64_t job = 0;
  reader.each([&](BodyReader& entry) {
    entry.members([&](BodyReader& member) {
      names.emplace_back(member.text());
      if (names.back() != "Job") return;   // the value is skipped
      member.variant([&](BodyReader& value) { value.members([&](BodyReader& pair) { job = pair.number(); }); });
    });
  });
  REQUIRE_FALSE(reader.failed());
  REQUIRE(names == std::vector<std::string>{"Id", "Job", "List"});
  REQUIRE(job == 12);
}

TEST_CASE("dbus body: what does not fit fails for good and touches nothing outside", "[guest][dbus]") {
  const std::string text = Wire().s("hello").bytes();
  SECTION("a text that is longer than the body") {
    BodyReader reader(std::string_view(text).substr(0, text.size() - 1), "s");
    REQUIRE(reader.text().empty());
    REQUIRE(reader.failed());
    REQUIRE(reader.number() == 0);
  }
  SECTION("a type that is not there") {
    BodyReader reader(text, "u");
    REQUIRE(reader.text().empty());
    REQUIRE(reader.failed());
  }
  SECTION("an array that ends within an element") {
    const std::string array = Wire().u(6).u(1).u(2).bytes();
    BodyReader reader(array, "au");
    reader.each([](BodyReader& element) { element.number(); });
    REQUIRE(reader.failed());
  }
  SECTION("variants within variants without end") {
    std::string deep;
    for (int i = 0; i < 1000; ++i) deep += std::string("\1v", 3);
    BodyReader reader(deep, "v");
    reader.skip();
    REQUIRE(reader.failed());
  }
  SECTION("structures within structures without end") {
    const std::string signature = std::string(200, '(') + "u" + std::string(200, ')');
    BodyReader reader("", signature);
    reader.skip();
    REQUIRE(reader.failed());
  }
}

TEST_CASE("dbus body: only whole types are types", "[guest][dbus]") {
  REQUIRE(complete_type("a{sv}") == 5);
  REQUIRE(complete_type("a(sasbttttuii)u") == 14);
  for (const char* wrong : {"", "a", "()", "(u", "{sv}", "a{vs}", "a{s}", "a{suu}", "z", ")"}) REQUIRE_FALSE(complete_type(wrong));
}

}  // namespace vigil::guest::dbus
