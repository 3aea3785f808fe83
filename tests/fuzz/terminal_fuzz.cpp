// What a hostile CLI may write to its terminal: cut anywhere it draws the same; answers, links and what is reported of it stay within their limits.
#include "guest/signin/redaction.hpp"
#include "guest/signin/screen.hpp"
#include "guest/signin/screen_answers.hpp"
#include "guest/signin/url_finder.hpp"
#include "tests/fuzz/require.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace {

using namespace vigil;
using namespace vigil::guest::signin;

struct Drawn {
  std::vector<Line> lines;
  std::string answers;
  std::vector<std::string> links;
  bool operator==(const Drawn&) const = default;
};

Drawn draw(std::string_view bytes, std::uint16_t rows, std::uint16_t columns, std::size_t step) {
  Screen screen(rows, columns);
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    screen.write(bytes.substr(at, step));
    fuzz::require(
        screen.row() >= 0 && screen.row() < screen.cells().rows() && screen.column() >= 0 && screen.column() < screen.cells().columns(),
        "the cursor is on the screen");
  }
  Drawn drawn{screen.cells().lines_with_history(), screen.take_answers(), screen.take_links()};
  fuzz::require(drawn.answers.size() <= 4096 && drawn.links.size() <= 16, "what waits is bounded");
  fuzz::require(drawn.lines.size() <= static_cast<std::size_t>(screen.cells().rows()) + Cells::max_history, "lines are bounded");
  return drawn;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 3), size - 3);
  const auto rows = static_cast<std::uint16_t>(data[0] % 50), columns = static_cast<std::uint16_t>(data[1] * 2);
  const auto drawn = draw(bytes, rows, columns, size);
  fuzz::require(drawn == draw(bytes, rows, columns, std::size_t{1} + data[2] % 64), "cutting changes nothing");
  for (const auto& row : signin::provider_table()) {
    for (const auto& url : find_urls(row, drawn.lines, columns)) {
      fuzz::require(signin::is_sign_in_url(row, url), "what is found is a sign-in address");
      callback_port_of(url);
    }
    const ScreenAnswers answers(row);
    answers.match(drawn.lines);
    answers.says_signed_in(drawn.lines);
  }
  fuzz::require(redacted_screen(drawn.lines, 8192).size() <= 8192, "a report's screen is bounded");
  return 0;
}
