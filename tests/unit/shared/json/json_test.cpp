#include "shared/json/json.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <nlohmann/json.hpp>

namespace vigil {

using nlohmann::json;

namespace {

json parsed(std::string_view text) { return parse_json(text).value(); }

std::string nested_lists(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

}  // namespace

TEST_CASE("json: a number that does not fit is refused, not wrapped", "[shared][json]") {
  const auto object = parsed(R"({"port":-1,"big":70000,"huge":18446744073709551615,"beyond":9007199254740992})");
  CHECK(read_integer(object, "port", 0, 65535).error().message() == "port: not in 0 to 65535");
  CHECK(read_integer(object, "big", 0, 65535).has_error());
  CHECK(read_integer(object, "huge").has_error());
  CHECK(read_integer(object, "beyond").has_error());
  CHECK(read_integer(object, "port", -5, 5).value() == -1);
}

TEST_CASE("json: a fraction is no whole number", "[shared][json]") {
  const auto object = parsed(R"({"a":3.9,"b":3.0,"c":1e2,"d":"3","e":true,"f":null})");
  const std::string key = GENERATE("a", "b", "c", "d", "e", "f");
  CAPTURE(key);
  CHECK(read_integer(object, key.c_str()).error().message() == key + ": not a whole number");
}

TEST_CASE("json: the largest whole number comes back", "[shared][json]") {
  CHECK(read_integer(parsed(R"({"n":9007199254740991})"), "n").value() == max_json_integer);
}

TEST_CASE("json: a missing key and a wrong kind are told apart", "[shared][json]") {
  const auto object = parsed(R"({"text":7})");
  CHECK(read_string(object, "text").error().message() == "text: not a string");
  CHECK(read_string(object, "none").error().message() == "none: missing");
  CHECK(try_read_string(object, "none").value() == std::nullopt);
  CHECK(try_read_string(object, "text").has_error());
  CHECK(try_read_integer(object, "text").value() == 7);
  CHECK(read_bool(object, "text").has_error());
  CHECK(try_read_bool(object, "none").value() == std::nullopt);
}

TEST_CASE("json: a value that is no object has no members", "[shared][json]") {
  const auto value = GENERATE(json(nullptr), json(3), json("text"), json::array({1}));
  CHECK(read_string(value, "key").error().message() == "key: missing");
  CHECK(refuse_unknown_keys(value, {"key"}).has_error());
}

TEST_CASE("json: text over its limit is refused", "[shared][json]") {
  const json object = {{"text", "12345"}, {"list", {"a", "b", "c"}}, {"bytes_b64", "MTIzNDU="}};
  CHECK(read_string(object, "text", 5).value() == "12345");
  CHECK(read_string(object, "text", 4).error().code() == Errc::limit);
  CHECK(read_strings(object, "list", 2).error().code() == Errc::limit);
  CHECK(read_bytes(object, "bytes_b64", 5).value() == "12345");
  CHECK(read_bytes(object, "bytes_b64", 4).error().code() == Errc::limit);
}

TEST_CASE("json: a wrong item of a list is named by its place", "[shared][json]") {
  CHECK(read_strings(parsed(R"({"argv":["a",7]})"), "argv").error().message() == "argv[1]: not a string");
}

TEST_CASE("json: bytes that are not base64 name their key", "[shared][json]") {
  CHECK(read_bytes(parsed(R"({"tail_b64":"?"})"), "tail_b64").error().message().starts_with("tail_b64: "));
}

TEST_CASE("json: depth, number of values and bytes are bounded", "[shared][json]") {
  const JsonLimits limits{.max_bytes = 64, .max_depth = 4, .max_values = 6};
  CHECK(parse_json(nested_lists(4), limits).has_value());
  CHECK(parse_json(nested_lists(5), limits).error().code() == Errc::limit);
  CHECK(parse_json("[1,2,3,4,5]", limits).has_value());
  CHECK(parse_json("[1,2,3,4,5,6]", limits).error().code() == Errc::limit);
  CHECK(parse_json(std::string(65, ' '), limits).error().code() == Errc::limit);
}

TEST_CASE("json: a megabyte of brackets is refused without ado", "[shared][json]") {
  CHECK(parse_json(std::string(1 << 20, '[')).error().code() == Errc::limit);
}

TEST_CASE("json: what is not exactly one JSON value is refused", "[shared][json]") {
  const std::string text =
      GENERATE(as<std::string>(), "", "{", "{} {}", "nul", "{\"a\":1,}", "\"\xff\"", "1e999", R"("\ud800")", "{/* */}");
  CAPTURE(text);
  CHECK(parse_json(text).error().code() == Errc::invalid);
}

TEST_CASE("json: a key that occurs twice is refused, for its two readers may disagree", "[shared][json]") {
  CHECK(parse_json(R"({"a":1,"a":2})").error().message() == "the key 'a' occurs twice");
  CHECK(parse_json(R"([{"a":1},{"a":2}])").has_value());
}

TEST_CASE("json: comments are read only where they are allowed", "[shared][json]") {
  const std::string text = "{// why\n\"a\": /* what */ 1}";
  CHECK(parse_json(text, {}, JsonComments::allow).value() == json{{"a", 1}});
  CHECK(parse_json(text).has_error());
}

TEST_CASE("json: containers inside containers keep their places", "[shared][json]") {
  const auto text = R"({"a":[{"b":[1,[2,{"c":null}]]},"x"],"d":{"e":{"f":[]}}})";
  CHECK(dump_json(parsed(text)) == text);
}

TEST_CASE("json: bytes that are not UTF-8 can be written", "[shared][json]") {
  CHECK(dump_json(json{{"a", "x\xff"}}) == "{\"a\":\"x\xef\xbf\xbd\"}");
  CHECK_NOTHROW(dump_json_pretty(json("\xc3")));
}

TEST_CASE("json: an unknown key is named", "[shared][json]") {
  CHECK(refuse_unknown_keys(parsed(R"({"name":1,"nmae":2})"), {"name"}).error().message() == "unknown key 'nmae'");
  CHECK(refuse_unknown_keys(parsed(R"({"name":1})"), {"name", "other"}).has_value());
}

}  // namespace vigil
