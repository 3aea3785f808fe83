// A VM's raw console bytes -> kernel findings and console digests, as event bodies in the order in which they stood on the console.
//
// Shape:  feed() takes bytes as they come; finish() when the console has ended. A finding that collects the lines behind it (panic, oops) comes out when the
//         block ends: at its end marker, at the bound, or at flush(), which the caller arms for `flush_after` whenever open() says so. A panic comes out
//         at once and again with its lines (the second replaces the first in the state: same kind, same kernel time).
// Bounds: per kind 8 findings at once and 1 a second after that; what is over is counted and comes as one `suppressed` finding a second.
//         Digests: 200 at once and 50 a second; over that they are counted in `digests_dropped`.
// Trust:  only lines with printk's [time] prefix are matched; digests become Reported{partial, console}.
#pragma once

#include "host/machine/vm_event.hpp"
#include "shared/console/record.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::console {

inline constexpr std::chrono::milliseconds flush_after{500};

class ConsoleReader {
public:
  ConsoleReader();
  ~ConsoleReader();
  ConsoleReader(const ConsoleReader&) = delete;
  ConsoleReader& operator=(const ConsoleReader&) = delete;

  /// `now_us`: any monotonic clock; used for rates only.
  std::vector<machine::EventBody> feed(std::string_view bytes, MonoUs now_us);
  /// Closes the block that is being collected and reports what was suppressed.
  std::vector<machine::EventBody> flush();
  std::vector<machine::EventBody> finish(MonoUs now_us);

  /// A block is being collected, or a count of suppressed findings waits: call flush() within flush_after.
  bool open() const;
  std::uint64_t damaged() const;                // console records whose checksum did not fit
  std::uint64_t digests_dropped() const;
  /// The last plain lines (at most 50), for verdicts.
  std::vector<std::string> tail() const;

private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vigil::console
