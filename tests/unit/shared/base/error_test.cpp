#include "shared/base/clock.hpp"
#include "shared/base/result.hpp"

#include <catch2/catch_test_macros.hpp>

#include <cerrno>

namespace vigil {

namespace {

Result<int> half(int number) {
  if (number % 2 != 0) return Error(Errc::invalid, std::to_string(number) + " is odd");
  return number / 2;
}

Result<int> quarter(int number) {
  TRY(once, half(number));
  TRY(twice, half(once));
  return twice;
}

}  // namespace

TEST_CASE("error: errno tells what the caller may do", "[shared][base]") {
  CHECK(Error::from_errno("open /x", ENOENT).code() == Errc::not_found);
  CHECK(Error::from_errno("open /x", EACCES).code() == Errc::denied);
  CHECK(Error::from_errno("open /x", EEXIST).code() == Errc::conflict);
  CHECK(Error::from_errno("open /x", EIO).code() == Errc::io);
  CHECK(Error::from_errno("open /x", ENOENT).message() == "open /x: No such file or directory");
}

TEST_CASE("error: context is put in front and the class stays", "[shared][base]") {
  const auto error = Error(Errc::limit, "too long").with_context("service file");
  CHECK(error.message() == "service file: too long");
  CHECK(error.code() == Errc::limit);
}

TEST_CASE("result: TRY hands the first error up", "[shared][base]") {
  CHECK(quarter(12).value() == 3);
  CHECK(quarter(6).error().message() == "3 is odd");
}

TEST_CASE("result: an error that nobody looked at is a bug, not a value", "[shared][base]") {
  CHECK_THROWS_AS(half(3).value(), std::logic_error);
}

TEST_CASE("clock: the boot clock goes on and the wall clock is in this century", "[shared][base]") {
  const SystemClock clock;
  const auto before = clock.mono_us();
  CHECK(before > 0);
  CHECK(clock.mono_us() >= before);
  CHECK(clock.unix_us() > 1'600'000'000'000'000U);
}

}  // namespace vigil
