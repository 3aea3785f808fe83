#include "host/store/streams.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include <random>
#include <set>

namespace vigil::store {

namespace {

std::uint64_t ignored = 0;

}  // namespace

TEST_CASE("stream: a report is fresh once", "[host][store]") {
  Stream stream;
  CHECK(stream.take_full(1, ignored) == Offer::fresh);
  CHECK(stream.take_full(1, ignored) == Offer::known);
  CHECK(stream.take_full(2, ignored) == Offer::fresh);
  CHECK(stream.last == 2);
  CHECK(stream.take_full(0, ignored) == Offer::known);   // numbers start at 1
}

TEST_CASE("stream: what was skipped is missing until it comes or is explained", "[host][store]") {
  Stream stream;
  stream.take_full(1, ignored);
  stream.take_full(6, ignored);
  CHECK(stream.gaps.count() == 4);
  CHECK(stream.take_full(3, ignored) == Offer::fresh);
  CHECK(stream.gaps.to_text() == "2-2 4-5");
  stream.gaps.remove(4, 5);
  CHECK(stream.gaps.to_text() == "2-2");
  CHECK(stream.take_full(4, ignored) == Offer::known);
  CHECK(stream.last == 6);
}

TEST_CASE("stream: a partial is fresh once, does not move the mark, and is replaced once", "[host][store]") {
  Stream stream;
  stream.take_full(1, ignored);
  CHECK(stream.take_partial(3, 77) == Offer::fresh);
  CHECK(stream.take_partial(3, 78) == Offer::known);
  CHECK(stream.take_partial(1, 79) == Offer::known);     // the full one is there
  CHECK(stream.last == 1);
  std::uint64_t replaced = 0;
  CHECK(stream.take_full(2, replaced) == Offer::fresh);
  CHECK(replaced == 0);
  CHECK(stream.take_full(3, replaced) == Offer::fresh);
  CHECK(replaced == 77);
  CHECK(stream.partials.empty());
}

TEST_CASE("stream: a guest that skips and prints without end is bounded", "[host][store]") {
  Stream stream;
  for (Seq seq = 2; seq < 100'000; seq += 2) stream.take_full(seq, ignored);
  CHECK(stream.gaps.to_text().size() < 64 * 16);
  std::size_t fresh = 0;
  for (Seq seq = 200'000; seq < 210'000; ++seq) fresh += stream.take_partial(seq, seq) == Offer::fresh ? 1 : 0;
  CHECK(fresh == 1024);
  CHECK(stream.take_partial(300'000, 1) == Offer::too_many);
}

TEST_CASE("gaps: their text reads back, and damage is an error", "[host][store]") {
  Gaps gaps;
  gaps.add(2, 5);
  gaps.add(9, 9);
  const auto back = Gaps::parse(gaps.to_text());
  REQUIRE(back.has_value());
  CHECK(back->to_text() == "2-5 9-9");
  CHECK(Gaps::parse("").value().count() == 0);
  for (const auto* text : {"5", "5-", "7-5", "a-b", "1-2,3-4", "1-2 "}) CHECK_FALSE(Gaps::parse(text).has_value());
}

TEST_CASE("stream: against a plain set, any schedule of lost, repeated and late reports is stored once", "[host][store][property]") {
  const auto seed = GENERATE(range(1U, 41U));
  std::mt19937 random(seed);
  Stream stream;
  std::set<Seq> stored;
  Seq newest = 0;
  for (int i = 0; i < 300; ++i) {
    const auto back = random() % 8;
    const Seq seq = newest >= back && random() % 3 == 0 ? newest - back : newest + 1 + (random() % 10 == 0 ? random() % 3 : 0);
    newest = std::max(newest, seq);
    const bool is_new = seq > 0 && !stored.contains(seq);
    if ((stream.take_full(seq, ignored) == Offer::fresh) != is_new) FAIL("report " << seq << " was misjudged");
    if (seq > 0) stored.insert(seq);
    if (stored.empty()) continue;
    if (stream.last != *stored.rbegin()) FAIL("the mark is at " << stream.last);
    if (stream.gaps.count() != stream.last - stored.size()) FAIL("gaps: " << stream.gaps.to_text());
  }
  CHECK(stored.size() > 100);
}

}  // namespace vigil::store
