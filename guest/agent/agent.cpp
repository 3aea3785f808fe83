#include "guest/agent/agent.hpp"

#include "guest/agent/diagnosis.hpp"
#include "guest/config/build_identity.hpp"
#include "guest/console/boot_report.hpp"
#include "guest/init/core_pattern.hpp"
#include "guest/init/system_setup.hpp"
#include "guest/init/wall_clock.hpp"
#include "guest/link/streams_listener.hpp"
#include "guest/link/vsock_dial.hpp"
#include "guest/log/log.hpp"
#include "guest/streams/opener.hpp"
#include "guest/systemd/service_notify.hpp"
#include "shared/framing/frame.hpp"
#include "shared/streams/egress.hpp"

#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <utility>

namespace vigil::guest::agent {

using namespace std::chrono_literals;
using protocol::Stage;
using Phase = protocol::StageReport::Phase;
using Kind = protocol::ByeReport::Kind;

namespace {

constexpr auto configuration_deadline = 5s;
constexpr auto stop_grace = 10s;      // for all services together; each has its own, shorter one
constexpr auto bye_deadline = 500ms;
constexpr auto settle_deadline = 500ms;  // of the disk, for crash reports that the host has not taken
constexpr auto stranger_silence = 60s;
constexpr auto trace_budget = 2s;      // of a core helper; what it has by then is the trace

/// For programs that run it under another name, as another user.
std::string own_program() {
  char path[PATH_MAX];
  const ssize_t length = ::readlink("/proc/self/exe", path, sizeof path);
  return length > 0 ? std::string(path, static_cast<std::size_t>(length)) : "/proc/self/exe";
}

link::LinkFacts facts_for(const AgentSetup& setup) {
  link::LinkFacts facts;
  facts.boot = setup.boot;
  facts.hello = {{protocol::protocol_version}, config::agent_version(), config::build_id(), setup.image, config::kernel_release(), {}, "init", 1,
                 setup.left.welcome ? setup.left.welcome->token : ""};
  return facts;
}

}  // namespace

Agent::Agent(AgentSetup setup, link::Dialler& dialler, console::ConsolePort console)
    : setup_(std::move(setup)),
      scale_(protocol::deadline_scale(setup_.accelerator)),
      line_(loop_, dialler, std::move(console), facts_for(setup_), link_events(), std::exchange(setup_.left.outbox, {})),
      reaper_(loop_),
      ports_(line_.reporter(), setup_.place == Place::vm ? health::ListeningPorts::Scope::machine : health::ListeningPorts::Scope::services,
             [this](pid_t pid) { return service_of(pid); }),
      health_(loop_, line_.reporter(), setup_.place == Place::vm ? health::HealthMonitor::Scope::machine : health::HealthMonitor::Scope::root_only,
              {[this](pid_t pid) { return service_of(pid); }, [this] { ports_.look(); }}),
      health_before_death_(line_.reporter(), health_),
      cores_(loop_, health_before_death_, trace_budget * scale_ * 3 / 2),
      journal_(journal_tools(), setup_.journal),
      output_logs_(setup_.boot.value()),
      exec_sessions_({loop_, launcher_, reaper_, setup_.supervisor.cgroup_root, setup_.supervisor.env}),
      file_workers_(exec_sessions_.host(), "/proc/self/exe"),
      sign_ins_({exec_sessions_.host(), line_.reporter(), setup_.supervisor.runtime_dir + "/signin", own_program(), scale_}),
      clock_(loop_,
             [this](std::int64_t seconds) {
               health_.raise(protocol::make_cause(protocol::CauseCode::guest_clock_jumped, {{"delta", seconds}}));
             }),
      signals_(loop_, [this](const init::ShutdownAsk& ask) {
        if (setup_.init == Init::systemd) asked_by_systemd(ask);
        else shut_down(ask);
      }),
      upgrade_({loop_, launcher_, reaper_, scale_, [this] { return keep(Keep::all_or_nothing); }}),
      probation_(std::move(setup_.probation)) {}

link::LinkEvents Agent::link_events() {
  return {[this](const protocol::Welcome& welcome) { welcomed(welcome); },
          [this](const protocol::Request& request) { requested(request); },
          [this] { journal_.acknowledged(); },
          [this](UnixUs host_unix_us) { host_clock_said(host_unix_us); }};
}

journal::JournalTools Agent::journal_tools() {
  const auto trouble = [this](const std::string& reason) {
    log::warning("journal.not_kept", {{"err", reason}});
    health_.raise(protocol::make_cause(protocol::CauseCode::guest_crash_not_kept, {{"path", setup_.journal}, {"reason", reason}}));
  };
  return {loop_, launcher_, reaper_, line_.outbox(), [this] { return line_.link().is_up(); }, trouble, "/proc/self/exe", scale_};
}

Kind Agent::run() {
  if (const auto kept = std::exchange(setup_.kept, std::nullopt)) resume(*kept);
  else begin();
  run_loop();
  return ending_ ? ending_->kind : Kind::poweroff;
}

void Agent::begin() {
  reaper_.on_orphan([](const process::ProcessEnd& end) {
    log::info("orphan.reaped", {{"pid", end.pid}, {"comm", end.comm}, {"status", protocol::to_text(end.status)}});
  });
  listen_for_streams();
  if (setup_.place == Place::vm) take_cores();
  if (setup_.left.welcome) line_.outbox().set_epoch(setup_.left.welcome->epoch);
  if (setup_.left.welcome) welcome_ = *setup_.left.welcome;
  tell_sudden_end();
  keep_for_next_life();
  line_.reporter().on_crash_queued([this] { journal_.crash_queued(); });
  const bool is_first_life = setup_.left.life == 0;
  if (!is_first_life) send_kept_crashes();   // those of this boot keep their numbers, which come before all that the link will carry
  line_.link().resume(take_connection());
  ::mkdir(setup_.supervisor.runtime_dir.c_str(), 0755);
  control_.emplace(loop_, setup_.supervisor.runtime_dir + "/agent.sock", [this](const protocol::Request& request) { return answer_inside(request); });
  if (setup_.left.welcome) {
    start_services(setup_.left.welcome->config, Configured::by_host);
    health_.report_now();
  } else {
    configuration_deadline_ = loop_.after(configuration_deadline * scale_, [this] { start_services({}, Configured::by_default); });
  }
  if (setup_.init == Init::systemd) systemd::notify_service("READY=1");
  if (is_first_life) loop_.post([this] { send_kept_crashes(); });   // after the services have been started
}

void Agent::send_kept_crashes() {
  auto left = journal_.take_left();
  for (auto& kept : left.crashes) {
    auto& crash = std::get<protocol::CrashReport>(kept.body);
    if (kept.boot == setup_.boot && !crash.origin) {
      line_.outbox().restore(std::move(kept));
      continue;
    }
    if (!crash.origin) crash.origin = std::pair(kept.boot, kept.seq);
    line_.reporter().submit(std::move(crash));
  }
  if (!left.crashes.empty()) log::info("journal.sent_again", {{"crashes", left.crashes.size()}});
}

void Agent::listen_for_streams() {
  const bool in_vm = setup_.place == Place::vm;
  if (!in_vm && setup_.streams_socket.empty()) return;
  auto listener = in_vm ? link::listen_vsock() : link::listen_unix(setup_.streams_socket);
  if (!listener) {
    log::error("streams.not_listening", {{"err", listener.error().message()}});
    setup_.problems.push_back("streams: " + listener.error().message());
    return;
  }
  streams_.emplace(loop_, std::move(*listener), in_vm ? accept_host() : link::accept_unix,
                   sign_ins_.opener(streams::make_opener(loop_, exec_sessions_, file_workers_, output_logs_)));
}

streams::StreamServer::Accept Agent::accept_host() {
  return [this](int listener) { return link::accept_vsock(listener, [this](std::uint32_t cid) { refused_stranger(cid); }); };
}

/// Told once in a while: who dials without end must not fill the log and the link.
void Agent::refused_stranger(std::uint32_t cid) {
  if (std::exchange(stranger_pause_, true)) return;
  stranger_again_ = loop_.after(stranger_silence, [this] { stranger_pause_ = false; });
  log::warning("stream.stranger_refused", {{"cid", cid}});
  health_.raise(protocol::make_cause(protocol::CauseCode::link_refused,
                                     {{"reason", "a stream from CID " + std::to_string(cid) + ": only the host (CID 2) may open one"}}));
}

void Agent::open_egress() {
  if (setup_.place != Place::vm) return;
  auto listener = egress::listen_loopback(egress::proxy_port);
  if (!listener) {
    setup_.problems.push_back("egress: " + listener.error().message());
    return log::error("egress.not_listening", {{"err", listener.error().message()}});
  }
  use_egress(std::move(*listener));
}

void Agent::use_egress(UniqueFd listener) {
  const auto hello = [this] { return framing::make_frame(vigil::streams::encode(vigil::streams::EgressHello{setup_.boot, line_.link().token()})); };
  egress_.emplace(loop_, std::move(listener), [] { return link::VsockDialler(protocol::egress_port).dial(); }, hello);
}

void Agent::take_cores() {
  const auto note = [this](const Error& error) {
    setup_.problems.push_back("core dumps: " + error.message());
    log::warning("core.no_traces", {{"err", error.message()}});
  };
  if (const auto done = cores_.listen(init::core_socket); !done) return note(done.error());
  if (const auto done = init::route_cores(trace_budget * scale_); !done) return note(done.error());
  cores_.on_unreported([this](const process::ProcessEnd& end) {
    if (supervisor_) supervisor_->other_died(end);
  });
}

link::Connection Agent::take_connection() {
  link::Connection connection;
  connection.fd.reset(std::exchange(setup_.left.link_fd, -1));
  connection.welcomed = setup_.left.link_welcomed;
  connection.unread = std::move(setup_.left.link_unread);
  connection.unsent = std::move(setup_.left.link_unsent);
  return connection;
}

void Agent::welcomed(const protocol::Welcome& welcome) {
  if (setup_.place == Place::vm) init::adopt_wall_clock(welcome.wall_unix_us);
  clock_.forgive();
  welcome_ = welcome;
  keep_for_next_life();
  if (!supervisor_) start_services(welcome.config, Configured::by_host);
  health_.report_now();
}

void Agent::host_clock_said(UnixUs host_unix_us) {
  const auto offset = static_cast<std::int64_t>(SystemClock().unix_us()) - static_cast<std::int64_t>(host_unix_us);
  health_.clock_offset(offset);
  if (setup_.place != Place::vm) return;
  if (wall_clock_.heard(offset) == init::WallClock::Did::set) clock_.forgive();
}

void Agent::start_services(const protocol::GuestConfig& config, Configured how) {
  if (supervisor_ || ending_) return;
  configuration_deadline_.cancel();
  if (setup_.place == Place::vm) init::set_host_name(config.hostname);
  if (config.egress) open_egress();   // before the services, whose environment names it
  take_configuration(config);
  report(Stage::agent, Phase::done, how == Configured::by_host ? "" : "without the host's configuration: the image's defaults");
  if (setup_.init == Init::systemd) adopt_units(config, supervisor_events());
  else run_services(config, supervisor_events());
}

void Agent::take_configuration(const protocol::GuestConfig& config) {
  setup_.supervisor.deadline_scale = scale_;
  setup_.supervisor.env.insert(config.env.begin(), config.env.end());
  setup_.supervisor.secrets = config.secrets;
  exec_sessions_.host().env = setup_.supervisor.env;
}

supervisor::SupervisorEvents Agent::supervisor_events() {
  supervisor::SupervisorEvents events;
  events.essentials_ready = [this] { services_ready(); };
  events.all_settled = [] { ::malloc_trim(0); };   // what the service files and the start needed is not needed any more
  events.essential_failed = [this](const protocol::ServiceReport& service) { essential_failed(service); };
  events.trouble = [this](protocol::Cause cause) { health_.raise(std::move(cause)); };
  return events;
}

void Agent::run_services(const protocol::GuestConfig& config, supervisor::SupervisorEvents events) {
  auto ours = std::make_unique<supervisor::Supervisor>(loop_, cores_, reaper_, setup_.supervisor, &output_logs_);
  supervisor::Supervisor& starting = *ours;
  own_services_ = ours.get();
  supervisor_ = std::move(ours);
  starting.on_ports_changed([this] { ports_.look(); });
  starting.start(service_spec::load_service_specs(setup_.services, config.services), std::move(events));
}

void Agent::adopt_units(const protocol::GuestConfig& config, supervisor::SupervisorEvents events) {
  systemd::UnitsOptions options;
  options.deadline_scale = scale_;
  options.is_first_life = setup_.left.life == 0;
  options.env = config.env;
  options.secrets = config.secrets;
  for (const auto& [name, overlay] : config.services) options.overridden.push_back(name);
  auto units = std::make_unique<systemd::Units>(loop_, cores_, launcher_, reaper_, std::move(options));
  units_ = units.get();
  supervisor_ = std::move(units);
  units_->start(std::move(events));
}

void Agent::tell_sudden_end() {
  if (setup_.left.life == 0 || !boot::follows_a_sudden_end(line_.outbox().next_seq())) return;
  protocol::CrashReport crash;
  crash.crash = "agent-" + std::to_string(setup_.left.life);
  crash.process = "vigil-guest";
  crash.exit = protocol::ExitUnknown{"systemd has started it again"};
  crash.cause = protocol::make_cause(protocol::CauseCode::guest_agent_crashed, {}, {"what it had not delivered by then is lost; what runs now is reported anew"});
  crash.ended_us = loop_.now_us();
  line_.reporter().submit(std::move(crash));
}

/// Numbers that this life cannot use, and the token: all that one needs that begins when this one was killed.
void Agent::keep_for_next_life() {
  if (!setup_.keep) return;
  setup_.keep(boot::after_sudden_end(setup_.left.life, line_.outbox().next_seq(), welcome_.token.empty() ? std::nullopt : std::optional(welcome_)));
}

/// SIGTERM from systemd: the machine ends and everything else has ended, or somebody stops just us.
void Agent::asked_by_systemd(const init::ShutdownAsk& ask) {
  if (!ending_ && units_ && units_->ending()) ending_ = init::ShutdownAsk{*units_->ending(), "systemd", false};
  if (ending_) return say_bye();
  log::info("agent.leaves", {{"asked_by", ask.asked_by}});
  if (setup_.keep) {
    boot::Handover next;
    next.life = setup_.left.life + 1;
    next.outbox = line_.outbox().state();
    if (!welcome_.token.empty()) next.welcome = welcome_;
    setup_.keep(next);
  }
  end_loop();
}

void Agent::services_ready() {
  was_ready_ = true;
  report(Stage::services, Phase::done);
  report(Stage::ready, Phase::done);
  print_boot_report(true, {});
}

void Agent::essential_failed(const protocol::ServiceReport& service) {
  if (std::exchange(told_failure_, true)) return;   // the first is why the VM failed; the others are in their own reports
  report(Stage::services, Phase::failed, service.name.value(), service.cause);
  print_boot_report(false, service.cause);
}

void Agent::requested(const protocol::Request& request) {
  const auto parsed = link::parse_guest_request(request);
  if (parsed && answers_later(request, *parsed)) return;
  const auto result = parsed ? answer(*parsed) : Result<std::string>(parsed.error());
  if (!result) log::warning("request.refused", {{"op", request.op}, {"err", result.error().message()}});
  line_.link().reply({request.id, result.has_value(), result ? "" : result.error().message(), result ? *result : "{}"});
}

bool Agent::answers_later(const protocol::Request& request, const link::GuestRequest& parsed) {
  if (const auto* wanted = std::get_if<link::UpgradeRequest>(&parsed)) {
    loop_.post([this, request, wanted = *wanted] { replace(request, wanted); });   // when the link has put this frame away
    return true;
  }
  const auto* logs = std::get_if<link::LogsRequest>(&parsed);
  if (!logs || !units_) return false;
  units_->fetch_output(logs->name, [this, id = request.id](const Result<supervisor::ServiceOutput>& output) {
    line_.link().reply({id, output.has_value(), output ? "" : output.error().message(), output ? to_json(*output) : "{}"});
  });
  return true;
}

Result<std::string> Agent::answer(const link::GuestRequest& request) {
  if (const auto* shutdown = std::get_if<link::ShutdownRequest>(&request)) {
    loop_.post([this, kind = shutdown->kind] { shut_down({kind, "host", true}); });   // after the reply
    return std::string("{}");
  }
  if (const auto* service = std::get_if<link::ServiceRequest>(&request)) {
    const auto action = supervisor::parse_service_action(service->action);
    if (!supervisor_ || !action) return Error(Errc::conflict, "the services are not running yet");
    TRY_VOID(supervisor_->request(service->name, *action));
    return std::string("{}");
  }
  if (const auto* signal = std::get_if<link::SignalRequest>(&request)) {
    if (!supervisor_) return Error(Errc::conflict, "the services are not running yet");
    TRY_VOID(supervisor_->signal(signal->name, signal->signal));
    return std::string("{}");
  }
  if (const auto* logs = std::get_if<link::LogsRequest>(&request)) {
    if (!supervisor_) return Error(Errc::conflict, "the services are not running yet");
    TRY(output, supervisor_->output(logs->name));
    return to_json(output);
  }
  if (const auto* failed = std::get_if<link::UnitFailedRequest>(&request)) {
    if (!units_) return Error(Errc::unsupported, "this VM's init is not systemd");
    units_->unit_failed(failed->unit, failed->result);
    return std::string("{}");
  }
  if (std::holds_alternative<link::UpgradeRequest>(request)) return Error(Errc::denied, "only the host replaces the agent");
  return diagnose();
}

Result<std::string> Agent::answer_inside(const protocol::Request& request) {
  TRY(parsed, link::parse_guest_request(request));
  return answer(parsed);
}

std::string Agent::diagnose() {
  ports_.look();   // where no event tells, the table may be five seconds old
  Diagnosis diagnosis{config::agent_version(),
                      config::build_id(),
                      config::kernel_release(),
                      line_.link().describe(),
                      loop_.now_us(),
                      line_.outbox().size(),
                      line_.outbox().dropped(),
                      line_.reporter().digests_left_out(),
                      line_.console().lost(),
                      reaper_.orphans(),
                      cores_.refused(),
                      setup_.problems,
                      {},
                      was_ready_,
                      health_.now(),
                      ports_.now()};
  if (supervisor_) diagnosis.services = supervisor_->services();
  return to_json(diagnosis);
}

void Agent::shut_down(const init::ShutdownAsk& ask) {
  if (ending_) return;
  ending_ = ask;
  log::info("agent.ending", {{"kind", to_text(ask.kind)}, {"asked_by", ask.asked_by}});
  configuration_deadline_.cancel();
  exec_sessions_.hang_up_all();
  if (units_) return units_->end_machine(ask.kind);   // systemd stops us last
  if (supervisor_) supervisor_->stop_all(stop_grace, [this] { say_bye(); });
  else say_bye();
}

void Agent::say_bye() {
  output_logs_.flush();
  line_.say_bye({ending_->kind, ending_->asked_by, ending_->host_asked}, bye_deadline * scale_,
                [this] { journal_.settle(settle_deadline * scale_, [this] { end_loop(); }); });
}

void Agent::report(Stage stage, Phase phase, std::string detail, std::optional<protocol::Cause> cause) {
  line_.reporter().submit(protocol::StageReport{stage, phase, std::move(detail), std::move(cause)});
}

void Agent::print_boot_report(bool ready, std::optional<protocol::Cause> cause) {
  line_.console().print_text(console::boot_report({ready, loop_.now_us(), line_.link().describe(), supervisor_->services(), std::move(cause)}));
}

}  // namespace vigil::guest::agent
