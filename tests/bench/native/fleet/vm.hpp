// A VM as the daemon sees one, without a VM: its shim, its VMM's control socket, its log stream, and the real link and outbox of the agent.
#pragma once

#include "guest/link/dialler.hpp"
#include "guest/link/link.hpp"
#include "guest/report/outbox.hpp"
#include "shared/base/clock.hpp"
#include "shared/base/ids.hpp"
#include "tests/bench/native/fleet/socket_server.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace vigil::fleet {

inline constexpr std::uint32_t run_number = 1;

/// What the guest has said, as it knows it itself; microseconds from a report's birth to its acknowledgement.
struct Journal {
  std::vector<std::pair<Seq, std::string>> durable;  // of a type that the store keeps for ever
  std::vector<std::uint64_t> acknowledged_us;
};

class Vm final : private guest::link::Dialler {
public:
  Vm(guest::EventLoop& loop, const Clock& clock, InstanceId id, const std::filesystem::path& run);
  Vm(const Vm&) = delete;
  Vm& operator=(const Vm&) = delete;

  void dial_host() { link_.start(); }
  /// As after a boot that went well: every stage, one service.
  void boot();
  void report_health();
  void report_service();
  /// What was acknowledged before is no measure: all came up at once.
  void begin_measuring() { journal_.acknowledged_us.clear(); }
  /// Fewer reports wait for their acknowledgement than the outbox holds.
  bool may_say_more() const { return waiting_.size() < max_waiting; }
  bool is_settled() const { return outbox_.size() == 0; }
  bool is_up() const { return link_.is_up(); }
  std::uint64_t dropped() const { return outbox_.dropped(); }
  const InstanceId& id() const { return id_; }
  const BootId& boot_id() const { return boot_; }
  const Journal& journal() const { return journal_; }

private:
  static constexpr std::size_t max_waiting = 256;

  /// Through the shim, as the device's dial arrives there: no socket of the file system is needed for it.
  Result<UniqueFd> dial() override;
  void say(protocol::ReportBody body);
  void acknowledged();
  bool serve_shim(std::uint64_t connection, std::string& unread, std::string& answer);
  static bool serve_control(std::string& unread, std::string& answer);
  static bool serve_stream(std::string& unread, std::string& answer);

  guest::EventLoop& loop_;
  const Clock& clock_;
  InstanceId id_;
  BootId boot_;
  std::uint32_t restarts_ = 0;
  Journal journal_;
  std::vector<std::pair<Seq, MonoUs>> waiting_;  // for their acknowledgement, in order
  guest::report::Outbox outbox_;
  std::uint64_t attached_ = 0;  // the daemon's connection that wants who dials; 0: there is none
  guest::link::Link link_;
  SocketServer shim_, control_, streams_;
};

/// A uuid from the instance's id: a VM that is served by another process later boots anew.
BootId make_boot_id();

}  // namespace vigil::fleet
