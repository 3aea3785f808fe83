// What can happen to a sign-in session, one struct each, and what is known of one. Values; no clock, no file, no socket.
//
// Shape:  events of one session are totally ordered; the session is their fold (reduce.hpp). States go on in the order of the enum; a new attempt after a restart of the daemon goes back
//         to cli_starting, and says so; terminal states never change.
// Units:  *_unix_us wall time of the host: a deadline outlives the daemon.
// Source: the states of a sign-in: accepted at once, known until its retention ends; a failure has a cause, never "timeout" alone.
#pragma once

#include "shared/base/clock.hpp"
#include "shared/base/enum_names.hpp"
#include "shared/base/ids.hpp"
#include "shared/protocol/report.hpp"
#include "shared/signin/provider.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace vigil::sessions {

enum class State {
  vm_starting,  // accepted; its browser VM is made, or boots
  cli_starting,  // the guest was asked to run the provider's CLI
  waiting_for_address,  // the CLI runs
  waiting_for_user,  // the address is known
  callback_seen,  // the CLI has heard from the provider
  storing,  // the guest holds a credential; it is taken into the vault
  delivering,  // it is in the vault, durable; the guest forgets, the CLI VM gets it
  completed,
  failed,
  timed_out,
  cancelled,
};

inline bool is_terminal(State state) { return state >= State::completed; }

/// All times scaled by the accelerator already.
struct Patience {
  std::uint32_t boot_s = 120, address_s = 90, user_s = 900, store_s = 60, deliver_s = 120, lease_s = 120, max_age_s = 7200;
  friend bool operator==(const Patience&, const Patience&) = default;
};

// ---- events ----

struct Opened {
  std::string owner, user;
  signin::Provider provider{};
  std::string vm_spec;  // of the browser VM to be made; empty: browser_vm is given
  std::optional<InstanceId> browser_vm, cli_vm;
  std::string guest_user, cli_user;  // who runs the CLI in the browser VM; whose home gets the credential in the CLI VM
  Patience patience;
  std::string actor;
  std::string cli_vm_spec = {};  // of the CLI VM to be made when the user has none; empty: none is made
  friend bool operator==(const Opened&, const Opened&) = default;
};
enum class Ownership { made, attached };
struct VmGiven {
  InstanceId vm;
  Ownership ownership = Ownership::made;  // only what the session made does it destroy
  std::uint64_t vm_seq = 0;  // VM events up to here are of before
  friend bool operator==(const VmGiven&, const VmGiven&) = default;
};
struct VmReady {
  friend bool operator==(const VmReady&, const VmReady&) = default;
};
/// A daemon that came later: what was on a stream is lost with it, and begins anew under another name.
struct Resumed {
  friend bool operator==(const Resumed&, const Resumed&) = default;
};
/// What the guest's agent reported.
struct Stepped {
  std::uint32_t attempt = 1;
  protocol::SigninReport::Step step{};
  std::string detail, url, cli_version;  // url: in memory alone
  std::optional<protocol::SigninCredential> credential;
  std::optional<protocol::Cause> cause;
  std::uint64_t vm_seq = 0;
  friend bool operator==(const Stepped&, const Stepped&) = default;
};
/// Somebody said something that is not his to say: a VM of another session's id, another provider, ...
struct Refused {
  std::string reason;
  std::uint64_t vm_seq = 0;
  friend bool operator==(const Refused&, const Refused&) = default;
};
struct Stored {
  std::uint64_t version = 0, bytes = 0;
  std::string sha256, shape;
  friend bool operator==(const Stored&, const Stored&) = default;
};
struct Forgotten {
  std::string problem;
  friend bool operator==(const Forgotten&, const Forgotten&) = default;
};  // problem: it could not be told; the VM goes anyway
struct Delivered {
  std::string vm, path, problem;
  friend bool operator==(const Delivered&, const Delivered&) = default;
};  // without vm: there is none to deliver to
enum class Validity { valid, invalid, untested };
struct Checked {
  Validity validity = Validity::untested;
  std::string how;
  friend bool operator==(const Checked&, const Checked&) = default;
};
struct Held {
  std::uint64_t until_unix_us = 0;
  std::string by;
  friend bool operator==(const Held&, const Held&) = default;
};
struct DeadlinePassed {
  bool in_use = false;
  friend bool operator==(const DeadlinePassed&, const DeadlinePassed&) = default;
};
struct VmLost {
  protocol::Cause cause;
  std::uint64_t vm_seq = 0;
  friend bool operator==(const VmLost&, const VmLost&) = default;
};
struct Broken {
  protocol::Cause cause;
  friend bool operator==(const Broken&, const Broken&) = default;
};
struct CancelAsked {
  std::string actor;
  friend bool operator==(const CancelAsked&, const CancelAsked&) = default;
};
struct VmRemoved {
  std::string rule, problem;
  friend bool operator==(const VmRemoved&, const VmRemoved&) = default;
};

using EventBody = std::variant<Opened, VmGiven, VmReady, Resumed, Stepped, Refused, Stored, Forgotten, Delivered, Checked, Held,
                               DeadlinePassed, VmLost, Broken, CancelAsked, VmRemoved>;

struct Event {
  std::uint64_t seq = 0;  // over all sessions; 0: not recorded yet
  std::string session;
  UnixUs at_unix_us = 0;
  EventBody body;
  friend bool operator==(const Event&, const Event&) = default;
};

// ---- what is known ----

struct Reached {
  State state{};
  UnixUs at_unix_us = 0;
  friend bool operator==(const Reached&, const Reached&) = default;
};

struct Session {
  std::string id;
  Opened order;
  State state = State::vm_starting;
  std::vector<Reached> history;  // append-only
  std::optional<InstanceId> vm;
  Ownership ownership = Ownership::attached;
  bool vm_is_gone = false;
  std::uint32_t attempt = 1;
  std::uint64_t vm_seq = 0, last_seq = 0;
  std::string url, cli_version;
  std::optional<protocol::SigninCredential> found;
  std::optional<Stored> stored;
  std::optional<Forgotten> forgotten;
  std::optional<Delivered> delivered;
  std::optional<Checked> checked;
  std::optional<protocol::Cause> cause;  // why it failed, timed out or was cancelled
  UnixUs deadline_unix_us = 0;  // of the state; 0: none
  UnixUs lease_unix_us = 0;
  std::optional<protocol::SigninReport::Step> last_step;  // of this attempt; the furthest
  std::string last_detail;
  std::uint32_t steps = 0;  // of this attempt
  std::uint64_t refusals = 0;
  std::string last_refusal;
  friend bool operator==(const Session&, const Session&) = default;
};

/// As the guest is told it: a later attempt is another session to it, so that what an earlier one still says is recognised.
std::string guest_name(const Session& session);

}  // namespace vigil::sessions

namespace vigil {
template <>
inline constexpr auto enum_table<sessions::State> =
    make_enum_table<sessions::State>({{sessions::State::vm_starting, "vm_starting"},
                                      {sessions::State::cli_starting, "cli_starting"},
                                      {sessions::State::waiting_for_address, "waiting_for_address"},
                                      {sessions::State::waiting_for_user, "waiting_for_user"},
                                      {sessions::State::callback_seen, "callback_seen"},
                                      {sessions::State::storing, "storing"},
                                      {sessions::State::delivering, "delivering"},
                                      {sessions::State::completed, "completed"},
                                      {sessions::State::failed, "failed"},
                                      {sessions::State::timed_out, "timed_out"},
                                      {sessions::State::cancelled, "cancelled"}});
template <>
inline constexpr auto enum_table<sessions::Ownership> =
    make_enum_table<sessions::Ownership>({{sessions::Ownership::made, "made"}, {sessions::Ownership::attached, "attached"}});
template <>
inline constexpr auto enum_table<sessions::Validity> = make_enum_table<sessions::Validity>(
    {{sessions::Validity::valid, "valid"}, {sessions::Validity::invalid, "invalid"}, {sessions::Validity::untested, "untested"}});
}  // namespace vigil
