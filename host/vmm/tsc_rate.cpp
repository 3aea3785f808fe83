#include "host/vmm/tsc_rate.hpp"

#include <x86intrin.h>

#include <ctime>

namespace vigil::vmm {

namespace {

constexpr std::uint64_t min_span_ns = 20'000'000;   // two samples are each good to some 100 ns: 10 ppm

std::uint64_t raw_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_RAW, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace

/// The tightest of several: one may be torn by an interrupt or by another task.
TscMeter::Sample TscMeter::take() {
  Sample best;
  std::uint64_t best_span = ~std::uint64_t{0};
  for (int attempt = 0; attempt < 16; ++attempt) {
    const std::uint64_t before = __rdtsc();
    const std::uint64_t at = raw_ns();
    const std::uint64_t span = __rdtsc() - before;
    if (span < best_span) best = {before + span / 2, at}, best_span = span;
  }
  return best;
}

TscMeter::TscMeter() : first_(take()) {}

std::uint64_t TscMeter::khz() {
  if (khz_ != 0) return khz_;
  Sample second = take();
  while (second.raw_ns - first_.raw_ns < min_span_ns) second = take();
  khz_ = (second.ticks - first_.ticks) * 1'000'000 / (second.raw_ns - first_.raw_ns);
  return khz_;
}

}  // namespace vigil::vmm
