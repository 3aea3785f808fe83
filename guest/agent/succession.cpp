// How the agent leaves its place to another build of itself, and how it takes the place of one.
#include "guest/agent/agent.hpp"
#include "guest/boot/switch_root.hpp"
#include "guest/config/build_identity.hpp"
#include "guest/link/streams_listener.hpp"
#include "guest/link/vsock_dial.hpp"
#include "guest/log/log.hpp"
#include "guest/streams/opener.hpp"
#include "guest/upgrade/memory_file.hpp"
#include "shared/framing/frame.hpp"
#include "shared/json/json.hpp"
#include "shared/streams/egress.hpp"

#include <nlohmann/json.hpp>

#include <cstdlib>
#include <tuple>
#include <utility>

namespace vigil::guest::agent {

using namespace std::chrono_literals;

void Agent::end_loop() {
  is_over_ = true;
  loop_.stop();
}

void Agent::run_loop() {
  while (probation_ && !is_over_) {
    loop_.run_once(-1ms);
    if (!probation_) break;
    auto kept = keep(Keep::what_can_be);
    if (kept) std::tie(kept->request, kept->from_build, kept->to_build) = std::tuple(upgraded_.first, upgraded_.second, config::build_id());
    probation_->look(kept);
  }
  if (!is_over_) loop_.run();
}

Result<void> Agent::check_replaceable() const {
  if (!sign_ins_.is_idle())
    return Error(Errc::conflict, "a user is being signed in, or the host has not taken the credential yet; try again after that");
  if (!cores_.is_idle()) return Error(Errc::conflict, "a crash is being looked at; try again in some seconds");
  if (journal_.is_writing()) return Error(Errc::conflict, "a crash report is being written to the disk; try again in some seconds");
  return {};
}

Result<upgrade::KeptAgent> Agent::keep(Keep how) const {
  if (setup_.place != Place::vm || setup_.init == Init::systemd)
    return Error(
        Errc::unsupported,
        "only an agent that is the VM's init is replaced while it runs; under systemd: exchange /run/vigil/bin/vigil-guest and restart its unit");
  if (ending_) return Error(Errc::conflict, "the VM ends");
  if (!own_services_) return Error(Errc::conflict, "the services are not running yet");
  if (how == Keep::all_or_nothing) TRY_VOID(check_replaceable());
  TRY(services, own_services_->keep());
  const auto link = line_.link().keep();
  upgrade::KeptAgent kept;
  kept.boot = setup_.boot.value();
  kept.line = {1, line_.outbox().state(), link.fd, link.welcomed, link.unread, link.unsent, std::nullopt};
  if (!welcome_.token.empty()) kept.line.welcome = welcome_;
  kept.cgroup_root = setup_.supervisor.cgroup_root;
  kept.tracefs = setup_.supervisor.tracefs;
  kept.image = setup_.image;
  kept.problems = setup_.problems;
  kept.was_ready = was_ready_;
  kept.told_failure = told_failure_;
  kept.supervisor = std::move(services);
  for (const auto& [name, log] : output_logs_.all()) kept.logs.emplace(name, upgrade::KeptLog{log.out.keep(), log.err.keep()});
  kept.execs = exec_sessions_.keep();
  kept.file_workers.assign(file_workers_.running().begin(), file_workers_.running().end());
  if (streams_) kept.streams = streams_->keep();
  if (egress_) kept.egress = egress_->keep();
  if (how == Keep::all_or_nothing && kept.streams.left_out > 0)
    return Error(Errc::conflict,
                 std::to_string(kept.streams.left_out) + " streams are being opened and cannot be handed over; try again in some seconds");
  return kept;
}

void Agent::resume(const upgrade::KeptAgent& kept) {
  if (kept.line.welcome) {
    welcome_ = *kept.line.welcome;
    line_.outbox().set_epoch(welcome_.epoch);
  }
  was_ready_ = kept.was_ready;
  told_failure_ = kept.told_failure;
  take_cores();
  line_.reporter().on_crash_queued([this] { journal_.crash_queued(); });
  send_kept_crashes();
  resume_services(kept);
  resume_streams(kept);
  line_.link().resume(take_connection());
  control_.emplace(loop_, setup_.supervisor.runtime_dir + "/agent.sock",
                   [this](const protocol::Request& request) { return answer_inside(request); });
  log::info("agent.resumed",
            {{"from", kept.from_build}, {"services", kept.supervisor.services.size()}, {"streams", kept.streams.streams.size()}});
  tell_upgrade(kept);
}

void Agent::resume_services(const upgrade::KeptAgent& kept) {
  take_configuration(welcome_.config);
  for (const auto& [name, log] : kept.logs) {
    output_logs_.of(name).out.resume(log.out);
    output_logs_.of(name).err.resume(log.err);
  }
  auto ours = std::make_unique<supervisor::Supervisor>(loop_, cores_, reaper_, setup_.supervisor, &output_logs_);
  own_services_ = ours.get();
  supervisor_ = std::move(ours);
  own_services_->on_ports_changed([this] { ports_.look(); });
  const auto specs = service_spec::load_service_specs(setup_.services, welcome_.config.services);
  if (const auto resumed = own_services_->resume(specs, kept.supervisor, supervisor_events()); !resumed) {
    log::error("services.not_resumed", {{"err", resumed.error().message()}});
    std::abort();   // an agent without its services is none: the one before knows them
  }
}

void Agent::resume_streams(const upgrade::KeptAgent& kept) {
  exec_sessions_.resume(kept.execs);
  file_workers_.resume({kept.file_workers.begin(), kept.file_workers.end()});
  if (kept.streams.listener < 0)
    listen_for_streams();
  else
    streams_.emplace(loop_, UniqueFd(kept.streams.listener), accept_host(),
                     sign_ins_.opener(streams::make_opener(loop_, exec_sessions_, file_workers_, output_logs_)));
  if (streams_) streams_->resume(kept.streams.streams, streams::make_reviver(loop_, exec_sessions_, output_logs_));
  if (!kept.egress) return;
  use_egress(UniqueFd(kept.egress->listener));
  egress_->resume(kept.egress->streams);
}

void Agent::replace(const protocol::Request& request, const link::UpgradeRequest& wanted) {
  if (probation_)
    return line_.link().reply({request.id, false, "this agent has only just been put in place; try again in ten seconds", "{}"});
  upgrade_.begin(request.id, wanted.path, wanted.sha256,
                 [this, id = request.id](const Error& error) { tell_outcome(id, "refused", config::build_id(), "", error.message()); });
}

/// At once when the newer build has crashed; else when it has stood its trial.
void Agent::tell_upgrade(const upgrade::KeptAgent& kept) {
  if (setup_.died_of != 0) {
    const std::string reason = "the new agent died of " + protocol::signal_name(setup_.died_of) + "; the one before goes on";
    return loop_.post([this, kept, reason] { tell_outcome(kept.request, "went_back", kept.from_build, kept.to_build, reason); });
  }
  upgraded_ = {kept.request, kept.from_build};
  probation_end_ = loop_.after(upgrade::probation_time, [this] {
    probation_.reset();
    if (const auto installed = upgrade::install_own_program(boot::agent_path); !installed)
      log::warning("agent.not_installed", {{"err", installed.error().message()}});
    tell_outcome(upgraded_.first, "upgraded", upgraded_.second, config::build_id(), "");
  });
}

void Agent::tell_outcome(std::uint64_t request, const std::string& outcome, const std::string& from, const std::string& to,
                         const std::string& reason) {
  nlohmann::json facts = {{"outcome", outcome}, {"from_build", from}, {"to_build", to}};
  if (!reason.empty()) facts["reason"] = reason;
  const std::string text = dump_json(facts);
  line_.reporter().submit(protocol::OtherReport{"agent_upgrade", text});
  line_.link().reply({request, reason.empty(), reason, text});
}

}  // namespace vigil::guest::agent
