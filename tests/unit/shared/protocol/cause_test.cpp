#include "shared/protocol/cause.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>

namespace vigil::protocol {

TEST_CASE("cause: every row is found by its code and by its text", "[shared][protocol]") {
  for (const auto& row : cause_table()) {
    CAPTURE(row.text);
    CHECK(&cause_row(row.code) == &row);
    CHECK(find_cause(row.text) == &row);
  }
  CHECK(find_cause("service.no_such_thing") == nullptr);
}

TEST_CASE("cause: with all its fields a sentence and an advice leave no placeholder", "[shared][protocol]") {
  for (const auto& row : cause_table()) {
    Cause cause = make_cause(row.code);
    std::string names(row.fields);
    for (std::size_t at = 0; at < names.size();) {
      const auto end = std::min(names.find(' ', at), names.size());
      cause.fields[names.substr(at, end - at)] = "VALUE";
      at = end + 1;
    }
    CAPTURE(row.text, sentence(cause), advice(cause));
    CHECK(sentence(cause).find_first_of("{}[]?") == std::string::npos);
    CHECK(advice(cause).find_first_of("{}?") == std::string::npos);
  }
}

TEST_CASE("cause: sentence and advice name the subject", "[shared][protocol]") {
  const auto cause = make_cause(CauseCode::service_port_taken, {{"port", std::int64_t{8080}}, {"holder", "squatter (pid 71)"}});
  CHECK(cause.text == "service.port_taken");
  CHECK(sentence(cause) == "port 8080 is taken by squatter (pid 71)");
  CHECK(advice(cause) == "stop squatter (pid 71), or give the service another port");
}

TEST_CASE("cause: a field that is not known reads as a question mark", "[shared][protocol]") {
  CHECK(sentence(make_cause(CauseCode::service_exited)) == "it exited with code ?");
}

TEST_CASE("cause: an optional part is left out where its field is missing", "[shared][protocol]") {
  CHECK(sentence(make_cause(CauseCode::service_signalled, {{"signal", "SIGSEGV"}})) == "it was killed by SIGSEGV");
  CHECK(sentence(make_cause(CauseCode::service_signalled, {{"signal", "SIGSEGV"}, {"function", "parse]{x"}})) ==
        "it was killed by SIGSEGV in parse]{x");
}

TEST_CASE("cause: a placeholder inside a value is a value", "[shared][protocol]") {
  CHECK(sentence(make_cause(CauseCode::service_missing_binary, {{"path", "{path}{"}})) == "the program {path}{ does not exist");
}

TEST_CASE("cause: a code of a newer peer keeps its text and counts as an error", "[shared][protocol]") {
  const Cause cause{CauseCode::unlisted, "service.future", {{"x", "y"}}, {}};
  CHECK(sentence(cause) == "service.future");
  CHECK(advice(cause).empty());
  CHECK(severity(cause) == Severity::error);
  CHECK(severity(make_cause(CauseCode::boot_panic)) == Severity::fatal);
}

}  // namespace vigil::protocol
