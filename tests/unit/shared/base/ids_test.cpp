#include "shared/base/ids.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

namespace vigil {

TEST_CASE("instance id: 50 random bits as ten letters, and it parses", "[shared][base]") {
  CHECK(make_instance_id(0).value() == "vm-0000000000");
  CHECK(make_instance_id(~std::uint64_t{0}).value() == "vm-zzzzzzzzzz");
  CHECK(make_instance_id(1).value() != make_instance_id(2).value());
  CHECK(parse_instance_id(make_instance_id(0x123456789abcdULL).value()).has_value());
}

TEST_CASE("instance id: other texts are refused", "[shared][base]") {
  const std::string text =
      GENERATE(as<std::string>(), "", "vm-", "vm-000000000", "vm-00000000000", "VM-0000000000", "vm-000000000i", "vm-000000000/");
  CAPTURE(text);
  CHECK(parse_instance_id(text).error().code() == Errc::invalid);
}

TEST_CASE("names: what could leave a directory or a command line is refused", "[shared][base]") {
  const std::string text =
      GENERATE(as<std::string>(), "", ".", "..", "../x", "a/b", "-rf", "A", "a b", "a\n", std::string("a\0", 2), std::string(64, 'a'));
  CAPTURE(text);
  CHECK(parse_instance_name(text).has_error());
  CHECK(parse_service_name(text).has_error());
}

TEST_CASE("names: letters, digits and dashes; services also dots and underscores", "[shared][base]") {
  CHECK(parse_instance_name("web-1").has_value());
  CHECK(parse_instance_name(std::string(63, 'a')).has_value());
  CHECK(parse_instance_name("web.1").has_error());
  CHECK(parse_service_name("web.1_a-b").has_value());
}

TEST_CASE("boot id: only the kernel's form", "[shared][base]") {
  CHECK(parse_boot_id("01234567-89ab-cdef-0123-456789abcdef").has_value());
  const std::string text = GENERATE(as<std::string>(), "", "01234567-89AB-cdef-0123-456789abcdef", "0123456789ab-cdef-0123-456789abcdef-",
                                    "01234567-89ab-cdef-0123-456789abcde", "01234567-89ab-cdef-0123-456789abcdef0");
  CAPTURE(text);
  CHECK(parse_boot_id(text).has_error());
}

}  // namespace vigil
