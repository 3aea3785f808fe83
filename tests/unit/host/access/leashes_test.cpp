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

}  // namespace vigil::access
