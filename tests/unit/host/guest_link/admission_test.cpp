#include "host/guest_link/admission.hpp"
#include "host/guest_link/rate_limit.hpp"

#include <catch2/catch_test_macros.hpp>

namespace vigil::guest_link {

namespace {

const BootId hello_boot("11111111-2222-3333-4444-555555555555");
const BootId strange_boot("99999999-2222-3333-4444-555555555555");

protocol::Hello hello(std::string token = "") {
    protocol::Hello hello;
    hello.protocols = {1};
    hello.image_digest = "digest";
    hello.token = std::move(token);
    return hello;
}

KnownBoot known(TokenCheck token = TokenCheck::none_recorded) {
    KnownBoot known;
    known.token = token;
    known.image_digest = "digest";
    known.image_id = "id";
    return known;
}

}  // namespace

TEST_CASE("admission: the first hello of a boot needs no token, a later one needs the right one", "[host][guest_link]") {
    CHECK(judge_hello(hello(), hello_boot, known()).accepted);
    CHECK(judge_hello(hello("t"), hello_boot, known(TokenCheck::fits)).accepted);
    CHECK_FALSE(judge_hello(hello(), hello_boot, known(TokenCheck::differs)).accepted);
    CHECK_FALSE(judge_hello(hello("guessed"), hello_boot, known(TokenCheck::differs)).accepted);
}

TEST_CASE("admission: a run has one boot once its token binds", "[host][guest_link]") {
    auto bound = known();
    bound.bound_boot = hello_boot;
    const auto refused = judge_hello(hello(), strange_boot, bound);
    CHECK_FALSE(refused.accepted);
    CHECK(refused.reason.find(strange_boot.value()) != std::string::npos);
    bound.token = TokenCheck::fits;
    CHECK(judge_hello(hello("t"), hello_boot, bound).accepted);
}

TEST_CASE("admission: an agent that does not fit is named", "[host][guest_link]") {
    auto wrong_image = hello();
    wrong_image.image_digest = "else";
    const auto mismatch = judge_hello(wrong_image, hello_boot, known());
    REQUIRE(mismatch.cause);
    CHECK(mismatch.cause->code == protocol::CauseCode::boot_image_mismatch);
    CHECK(protocol::field_text(*mismatch.cause, "found") == "else");
    auto by_id = hello();
    by_id.image_digest = "id";
    CHECK(judge_hello(by_id, hello_boot, known()).accepted);

    auto newer = hello();
    newer.protocols = {7, 8};
    const auto skew = judge_hello(newer, hello_boot, known());
    REQUIRE(skew.cause);
    CHECK(skew.cause->code == protocol::CauseCode::boot_agent_skew);
}

TEST_CASE("rate limit: a burst of a second's worth, then the rate", "[host][guest_link]") {
    MonoUs now = 1'000'000;
    RateLimit limit(100, now);
    int taken = 0;
    while (limit.take(now)) ++taken;
    CHECK(taken == 100);
    now += 10'000;  // one message's time
    CHECK(limit.take(now));
    CHECK_FALSE(limit.take(now));
    CHECK(limit.pause(now) > std::chrono::milliseconds(480));
    CHECK(limit.pause(now) < std::chrono::milliseconds(520));
    now += 60'000'000;
    taken = 0;
    while (limit.take(now)) ++taken;
    CHECK(taken == 100);  // a long silence saves up no more than one burst
}

}  // namespace vigil::guest_link
