#include "host/access/leashes.hpp"

#include <catch2/catch_test_macros.hpp>

namespace vigil::access {

using async::Leash;

TEST_CASE("leashes: those of one token are cut, also one that has no answer yet; others go on", "[host][access]") {
  Leashes leashes;
  int ended = 0;
  const auto make = [&](const char* token) {
    auto leash = std::make_shared<Leash>();
    leashes.hold(token, leash);
    return leash;
  };
  const auto goes_on = make("a"), waits = make("a"), done = make("a"), other = make("b");
  for (const auto& leash : {goes_on, done, other}) leash->on_cut([&] { ++ended; });
  done->forget();
  CHECK(leashes.end("a") == 1);
  CHECK(ended == 1);
  CHECK(other->goes_on());
  CHECK(waits->is_cut());
  waits->on_cut([&] { ++ended; });   // its answer begins only now
  CHECK(ended == 2);
  CHECK(leashes.end("a") == 0);
  CHECK(leashes.end("nobody") == 0);
}

TEST_CASE("leashes: what ended by itself is not called, however many there were", "[host][access]") {
  Leashes leashes;
  int ended = 0;
  for (int n = 0; n < 1000; ++n) {
    const auto leash = std::make_shared<Leash>();
    leashes.hold("a", leash);
    leash->on_cut([&] { ++ended; });
  }
  CHECK(leashes.size() < 200);
  CHECK(leashes.end("a") == 0);
  CHECK(ended == 0);
  leashes.hold("a", nullptr);   // a head that is only looked at
  CHECK(leashes.end("a") == 0);
}

TEST_CASE("leashes: those of an expired token are cut at its date, others go on", "[host][access]") {
  Leashes leashes;
  int ended = 0;
  const auto hold = [&](const char* token, std::optional<UnixUs> expires) {
    auto leash = std::make_shared<Leash>();
    leashes.hold(token, leash, expires);
    leash->on_cut([&] { ++ended; });
    return leash;
  };
  CHECK_FALSE(leashes.next_expiry());
  const auto never = hold("never", std::nullopt), late = hold("late", 300), soon = hold("soon", 100), again = hold("soon", 100);
  CHECK(leashes.next_expiry() == UnixUs(100));
  CHECK(leashes.end_expired(99).empty());
  CHECK(leashes.end_expired(100) == std::map<std::string, std::size_t>{{"soon", 2}});
  CHECK(ended == 2);
  CHECK(leashes.next_expiry() == UnixUs(300));
  CHECK(leashes.end("late") == 1);   // revoked before its time
  CHECK_FALSE(leashes.next_expiry());
  CHECK(never->goes_on());
}

TEST_CASE("leashes: of tokens by whose right nothing goes on no date is kept", "[host][access]") {
  Leashes leashes;
  for (int n = 0; n < 1000; ++n) leashes.hold("t" + std::to_string(n), std::make_shared<Leash>(), 1'000 + n);
  const auto held = std::make_shared<Leash>();
  leashes.hold("held", held, 5'000);
  for (int n = 0; n < 400; ++n) leashes.hold("u", std::make_shared<Leash>());
  CHECK(leashes.next_expiry() == UnixUs(5'000));
}

}  // namespace vigil::access
