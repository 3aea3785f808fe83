// The rules by which a VM is stopped or removed without being asked for: data in, decisions out.
//
// Units:  wall time of the host in microseconds since 1970; *_s seconds, 0: there is no such rule.
#pragma once

#include "shared/base/clock.hpp"
#include "shared/base/enum_names.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace vigil::policy {

struct Settings {
  std::uint64_t lease_s = 0, idle_s = 0, expire_s = 0;
  bool any() const { return lease_s != 0 || idle_s != 0 || expire_s != 0; }
};

enum class HolderKind { exec, stream, session, hold };

/// Somebody who needs the VM. `until`: 0 as long as it is there.
struct Holder {
  HolderKind kind = HolderKind::hold;
  std::string name;
  UnixUs until = 0;
  friend bool operator==(const Holder&, const Holder&) = default;
};

struct Facts {
  UnixUs now = 0;
  bool is_running = false;
  bool is_stopping = false;                    // somebody has asked for its end already
  UnixUs run_started = 0;                      // of the run that is going on
  std::optional<UnixUs> lease_until;           // said by somebody; replaces run_started + lease_s
  UnixUs last_used = 0;                        // a holder was there, or somebody commanded it
  UnixUs stopped_since = 0;                    // of a VM that does not run
  UnixUs paused_until = 0;
  std::vector<Holder> holders;
};

enum class Rule { lease, idle, expiry };
enum class Action { stop, remove };
enum class Verdict {
  waits,       // not due yet
  held,        // due, but somebody needs it
  paused,      // due, but its policies are paused
  acts,
};

struct Decision {
  Rule rule = Rule::lease;
  Action action = Action::stop;
  Verdict verdict = Verdict::waits;
  UnixUs due = 0;
  std::string why;                                    // one sentence for people
  std::map<std::string, std::int64_t> inputs;         // what was looked at, by name
  std::map<std::string, std::int64_t> thresholds;     // what it was held against
  std::vector<Holder> holders;                        // who keeps it
  friend bool operator==(const Decision&, const Decision&) = default;
};

/// One a rule that there is for this VM in this state, in the order of Rule. At most one of them acts.
std::vector<Decision> decide(const Settings& settings, const Facts& facts);

/// The next date after which decide() may say something else though nothing but the time has changed; nullopt: there is none.
std::optional<UnixUs> next_look(const Facts& facts, const std::vector<Decision>& decisions);

}  // namespace vigil::policy

namespace vigil {
template <>
inline constexpr auto enum_table<policy::HolderKind> = make_enum_table<policy::HolderKind>({{policy::HolderKind::exec, "exec"},
                                                                                            {policy::HolderKind::stream, "stream"},
                                                                                            {policy::HolderKind::session, "session"},
                                                                                            {policy::HolderKind::hold, "hold"}});
template <>
inline constexpr auto enum_table<policy::Rule> =
    make_enum_table<policy::Rule>({{policy::Rule::lease, "lease"}, {policy::Rule::idle, "idle"}, {policy::Rule::expiry, "expiry"}});
template <>
inline constexpr auto enum_table<policy::Action> =
    make_enum_table<policy::Action>({{policy::Action::stop, "stop"}, {policy::Action::remove, "remove"}});
template <>
inline constexpr auto enum_table<policy::Verdict> = make_enum_table<policy::Verdict>({{policy::Verdict::waits, "waits"},
                                                                                      {policy::Verdict::held, "held"},
                                                                                      {policy::Verdict::paused, "paused"},
                                                                                      {policy::Verdict::acts, "acts"}});
}  // namespace vigil
