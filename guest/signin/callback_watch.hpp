// Has somebody come back to the CLI's own port: a connection there that is established, or was a moment ago.
//
// Shape:  a look reads /proc/net/tcp and tcp6 once; the parser is pure. A connection lives for milliseconds, but stays listed for a minute as TIME_WAIT: so looking twice a second misses none.
// Source: proc(5) /proc/net/tcp; states are those of include/net/tcp_states.h.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

namespace vigil::guest::signin {

/// The other ends of connections that have this port at their own, as `table` (/proc/net/tcp or tcp6) spells them.
std::set<std::string> callers_of(std::string_view table, std::uint16_t port);

class CallbackWatch {
public:
  /// Callers of before do not count.
  explicit CallbackWatch(std::uint16_t port) : port_(port), earlier_(callers()) {}
  bool has_been_called() const;

private:
  std::set<std::string> callers() const;

  std::uint16_t port_;
  std::set<std::string> earlier_;
};

}  // namespace vigil::guest::signin
