// tests/golden/v1: one frame's payload a file. They were right once and stay: a reader of today must read them, and says the same again.
#include "shared/json/json.hpp"
#include "shared/protocol/codec.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace vigil::protocol {

namespace {

std::string read_file(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::vector<std::filesystem::path> golden_frames() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(VIGIL_GOLDEN_DIR "/v1")) files.push_back(entry.path());
  return files;
}

}  // namespace

TEST_CASE("golden frames: each decodes and says the same again", "[shared][protocol][golden]") {
  for (const auto& file : golden_frames()) {
    CAPTURE(file.filename());
    const auto text = read_file(file);
    const auto message = decode(text);
    REQUIRE(message.has_value());
    CHECK(parse_json(encode(*message)).value() == parse_json(text).value());
  }
}

TEST_CASE("golden frames: there is one of every type, and none decodes as unknown but those that are meant to",
          "[shared][protocol][golden]") {
  std::set<std::string> types;
  for (const auto& file : golden_frames()) {
    const auto message = decode(read_file(file)).value();
    const auto* report = std::get_if<Report>(&message.content);
    const bool kept_as_text = report != nullptr && std::holds_alternative<OtherReport>(report->body);
    CHECK(kept_as_text == file.filename().string().starts_with("unknown_"));
    types.insert(parse_json(read_file(file)).value()["t"].get<std::string>());
  }
  for (const auto* type : {"hello", "welcome", "ack", "ping", "pong", "request", "reply", "stage", "service", "crash", "crash_trace",
                           "health", "net", "dropped", "bye", "signin"})
    CHECK(types.contains(type));
}

}  // namespace vigil::protocol
