// tests/transcripts: what real CLIs wrote to their terminal, files of one provider and version. Whatever changes here must still read them.
#include "guest/signin/redaction.hpp"
#include "guest/signin/screen.hpp"
#include "guest/signin/screen_answers.hpp"
#include "guest/signin/url_finder.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace vigil::guest::signin {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

/// Fed as a terminal is: in pieces, looked at after each.
struct Played {
  std::vector<std::string> urls, answered;
  std::string typed;
};

Played play(const vigil::signin::ProviderRow& row, const std::string& bytes, std::size_t step) {
  Played played;
  Screen screen(40, 120);
  ScreenAnswers answers(row);
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    screen.write(std::string_view(bytes).substr(at, step));
    played.typed += screen.take_answers();
    for (auto& link : screen.take_links())
      if (is_sign_in_url(row, link)) played.urls.push_back(std::move(link));
    for (auto& each : find_urls(row, screen.cells().lines_with_history(), 120)) played.urls.push_back(std::move(each));
    if (const auto* const answer = answers.match(screen.cells().lines())) {
      answers.count(*answer);
      played.answered.emplace_back(answer->name);
    }
  }
  return played;
}

std::vector<std::string> lines_of(const fs::path& path) {
  std::vector<std::string> lines;
  std::istringstream text(text_of(path));
  for (std::string line; std::getline(text, line);)
    if (!line.empty() && line.front() != '#') lines.push_back(line);
  return lines;
}

TEST_CASE("transcripts: each CLI's address is found, its screens are answered, nothing of the address is in a report", "[guest][signin]") {
  std::size_t played = 0;
  for (const auto& entry : fs::directory_iterator(VIGIL_TRANSCRIPTS)) {
    if (entry.path().extension() != ".terminal") continue;
    CAPTURE(entry.path().filename());
    const auto name = entry.path().stem().string();
    const auto provider = parse_enum<vigil::signin::Provider>(name.substr(0, name.find('-')));
    REQUIRE(provider.has_value());
    const auto& row = vigil::signin::provider_row(*provider);
    CHECK(std::find(row.known_versions.begin(), row.known_versions.end(), name.substr(name.find('-') + 1)) != row.known_versions.end());
    const auto bytes = text_of(entry.path());
    const auto urls = lines_of(fs::path(entry.path()).replace_extension("urls")),
               answered = lines_of(fs::path(entry.path()).replace_extension("answered"));
    for (const std::size_t step : {std::size_t{7}, std::size_t{512}, bytes.size()}) {
      const auto seen = play(row, bytes, step);
      if (step < bytes.size()) CHECK(seen.answered == answered);  // written at once, an answered screen is gone again
      REQUIRE_FALSE(seen.urls.empty());
      CHECK(seen.urls.back() == urls.front());
    }
    Screen screen(40, 120);
    screen.write(bytes);
    const auto report = redacted_screen(screen.cells().lines_with_history(), 8192);
    for (const auto& each : urls)
      for (auto at = each.find('?'); at != std::string::npos && at + 8 <= each.size(); at += 4)
        CHECK(report.find(each.substr(at, 8)) == std::string::npos);
    ++played;
  }
  CHECK(played == vigil::signin::provider_table().size());
}

}  // namespace
}  // namespace vigil::guest::signin
