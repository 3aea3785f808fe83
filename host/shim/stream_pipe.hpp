// A pipe from the VMM to the shim, and the bounded file that its bytes go to.
//
// Why:    QEMU writes its serial port byte by byte into a pipe that does not block and drops what does not fit: so the pipe is large (1 MiB) and the
//         shim reads it whenever it may, whatever its clients do. Under a burst it reads at most every 2 ms: one wake-up a byte costs more than the guest.
// Errors: make: those of the system.
#pragma once

#include "host/shim/bounded_writer.hpp"
#include "shared/base/result.hpp"
#include "shared/base/unique_fd.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace vigil::shim {

using TimePoint = std::chrono::steady_clock::time_point;

class StreamPipe {
public:
  static Result<StreamPipe> make(const std::string& path, const KeepCaps& caps);

  BoundedWriter& kept() { return writer_; }
  const BoundedWriter& kept() const { return writer_; }
  int write_end() const { return in_.get(); }
  int read_end() const { return out_.get(); }
  /// Once the VMM has its copy: then the pipe ends when the VMM does.
  void close_write_end() { in_.reset(); }
  bool has_ended() const { return !out_; }
  /// Reading makes sense from then on.
  TimePoint due() const { return due_; }
  void drain(TimePoint now);

private:
  StreamPipe(UniqueFd out, UniqueFd in, BoundedWriter writer) : out_(std::move(out)), in_(std::move(in)), writer_(std::move(writer)) {}

  UniqueFd out_, in_;
  BoundedWriter writer_;
  TimePoint due_{};
};

}  // namespace vigil::shim
