// A line on the agent's control socket, read as a question and as an answer.
#include "guest/control/control_message.hpp"
#include "guest/link/guest_request.hpp"
#include "tests/fuzz/require.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vigil::guest;
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  if (const auto question = control::parse_question(line)) {
    vigil::fuzz::require(question->op != "shutdown", "an inside cannot ask what is the host's");
    const auto request = link::parse_guest_request(*question);
    vigil::fuzz::require(request.has_error() || !std::holds_alternative<link::ShutdownRequest>(*request), "nor by another word");
  }
  if (const auto answer = control::parse_answer(line)) {
    const auto again = control::parse_answer(control::encode_answer(*answer));
    vigil::fuzz::require(again.has_value() && *again == *answer, "what was read can be said again");
  }
  return 0;
}
