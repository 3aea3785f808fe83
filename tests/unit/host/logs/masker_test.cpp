#include "host/logs/masker.hpp"

#include <catch2/catch_test_macros.hpp>

namespace vigil::logs {
namespace {

std::string through(const std::vector<std::string>& values, const std::string& text, std::size_t step) {
    Masker masker(values);
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += step) out += masker.feed(std::string_view(text).substr(at, step));
    return out + masker.flush();
}

TEST_CASE("masker: values are hidden length for length, however the text is cut", "[host][logs]") {
    const std::string text = "token=hunter2 again hunter2hunter2 and hunter, hunte";
    for (std::size_t step = 1; step <= text.size(); ++step)
        CHECK(through({"hunter2"}, text, step) == "token=******* again ************** and hunter, hunte");
}

TEST_CASE("masker: a value that holds another one is hidden whole", "[host][logs]") {
    for (std::size_t step = 1; step <= 20; ++step) {
        CHECK(through({"abcd", "xabcdx"}, "-xabcdx-abcd-", step) == "-******-****-");
        CHECK(through({"abcd", "xabcdx"}, "-xabcdy-xabcd", step) == "-x****y-x****");
        CHECK(through({"abcd", "dxyz"}, "abcdxyz dxyz", step) == "****xyz ****");
    }
}

TEST_CASE("masker: short values hide nothing, and without values nothing is held back", "[host][logs]") {
    CHECK(through({"abc", ""}, "abcabc", 2) == "abcabc");
    Masker none({});
    CHECK(none.feed("abc") == "abc");
    Masker some({"secret"});
    CHECK(some.feed("this is a se") == "this is a ");
    CHECK(some.held() == 2);
    CHECK(some.feed("a") == "sea");
    CHECK(masked("a secret", {"secret"}) == "a ******");
}

}  // namespace
}  // namespace vigil::logs
