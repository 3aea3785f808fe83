// How fast the host's time stamp counter runs. A TCG guest sees that counter and would spend 50 ms and more to calibrate it by emulated timers.
//
// Units:  kHz, measured against CLOCK_MONOTONIC_RAW (which no clock discipline bends); some 10 ppm.
#pragma once

#include <cstdint>

namespace vigil::vmm {

class TscMeter {
public:
  TscMeter();                                   // takes the first sample: make it when the program starts
  /// Takes the second sample at its first call, and spins only for what is missing of 20 ms between the two.
  std::uint64_t khz();

private:
  struct Sample { std::uint64_t ticks = 0; std::uint64_t raw_ns = 0; };
  static Sample take();

  Sample first_;
  std::uint64_t khz_ = 0;
};

}  // namespace vigil::vmm
