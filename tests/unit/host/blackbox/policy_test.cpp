#include "host/blackbox/masking.hpp"
#include "host/blackbox/retention.hpp"
#include "shared/base/encoding.hpp"

#include <catch2/catch_test_macros.hpp>

namespace vigil::blackbox {
namespace {

constexpr UnixUs day = 24ULL * 3600 * 1'000'000;

StoredBox box(std::uint32_t run, UnixUs made, std::uint64_t bytes) { return {{InstanceId("vm-0123456789"), RunNumber(run)}, made, bytes}; }

std::vector<std::uint32_t> gone(std::vector<StoredBox> boxes, KeepLimits limits, UnixUs now) {
    std::vector<std::uint32_t> runs;
    for (const auto& each : choose_discards(std::move(boxes), limits, now)) runs.push_back(each.name.run.value());
    return runs;
}

TEST_CASE("black box retention: by age, by count, by size, the oldest first", "[host][blackbox]") {
    const std::vector<StoredBox> boxes = {box(3, 90 * day, 100), box(1, 10 * day, 100), box(2, 50 * day, 100), box(4, 99 * day, 100)};
    const auto now = 100 * day;
    CHECK(gone(boxes, {std::chrono::hours(24 * 60), 0, 0}, now) == std::vector<std::uint32_t>{1});
    CHECK(gone(boxes, {std::chrono::hours(0), 2, 0}, now) == std::vector<std::uint32_t>{1, 2});
    CHECK(gone(boxes, {std::chrono::hours(0), 0, 100}, now) == std::vector<std::uint32_t>{1, 2, 3});
    CHECK(gone(boxes, {std::chrono::hours(0), 0, 0}, now).empty());
    const auto discards = choose_discards(boxes, {std::chrono::hours(24 * 60), 2, 0}, now);
    REQUIRE(discards.size() == 2);
    CHECK(discards[0].rule == "older than 60 days");
    CHECK(discards[1].rule == "more than 2 boxes");
}

TEST_CASE("black box names: only those of runs", "[host][blackbox]") {
    CHECK(parse_box_name("vm-0123456789-12")->run == RunNumber(12));
    CHECK(parse_box_name("vm-0123456789-12")->file() == "vm-0123456789-12.tar.zst");
    for (const auto* wrong : {"", "vm-0123456789", "vm-0123456789-", "vm-0123456789-0", "vm-0123456789-1x", "../vm-0123456789-1", "vm-01234-1", "-1"}) {
        CAPTURE(wrong);
        CHECK(parse_box_name(wrong).has_error());
    }
}

TEST_CASE("masking: values go from strings, keys' base64 and plain text", "[host][blackbox]") {
    const std::vector<std::string> secrets = {"hunter\"2"};
    CHECK(masked_json(R"({"a":"is hunter\"2!","b":[{"c":"hunter\"2"}],"n":7})", secrets) == R"({"a":"is ********!","b":[{"c":"********"}],"n":7})");
    const auto tail = masked_json(R"({"stdout_tail_b64":")" + to_base64("the hunter\"2 end") + "\"}", secrets);
    CHECK(tail.find(to_base64("the ******** end")) != std::string::npos);
    CHECK(masked_json("no json hunter\"2", secrets) == "no json ********");
    CHECK(masked_json(R"({"a": 1})", {}) == R"({"a": 1})");
}

}  // namespace
}  // namespace vigil::blackbox
