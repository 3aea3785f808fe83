// tests/golden/console: raw consoles and what is in them.
#include "shared/console/record.hpp"
#include "shared/json/json.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace vigil::console {

using nlohmann::json;

namespace {

std::string read_file(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

void add(json& seen, const ConsoleScanner::Found& found) {
  for (const auto& one : found.digests) seen["digests"].push_back({{"boot8", one.boot8}, {"seq", one.seq}, {"json", one.json}});
  for (const auto& line : found.lines) seen["lines"].push_back(line);
}

json scan(std::string_view raw, std::size_t step) {
  json seen = {{"digests", json::array()}, {"lines", json::array()}};
  ConsoleScanner scanner;
  for (std::size_t at = 0; at < raw.size(); at += step) add(seen, scanner.feed(raw.substr(at, step)));
  add(seen, scanner.finish());
  seen["damaged"] = scanner.damaged();
  return seen;
}

}  // namespace

TEST_CASE("golden consoles: each says the same, however it is cut", "[shared][console][golden]") {
  const std::size_t step = GENERATE(1, 7, 16, 100'000);
  std::size_t consoles = 0;
  for (const auto& entry : std::filesystem::directory_iterator(VIGIL_GOLDEN_DIR "/console")) {
    if (entry.path().extension() != ".raw") continue;
    CAPTURE(entry.path().filename(), step);
    auto expected_file = entry.path();
    CHECK(scan(read_file(entry.path()), step) == parse_json(read_file(expected_file.replace_extension(".json"))).value());
    ++consoles;
  }
  CHECK(consoles >= 12);
}

}  // namespace vigil::console
