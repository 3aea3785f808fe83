#include "host/daemon/vm_run.hpp"

#include "host/daemon/run_user.hpp"
#include "host/daemon/secret_masking.hpp"
#include "host/vmm/vsock_device.hpp"
#include "shared/base/overloaded.hpp"

#include <spdlog/spdlog.h>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

namespace vigil::daemon {

namespace asio = boost::asio;

namespace {
constexpr const char* proxy_in_guest = "http://127.0.0.1:3128";
constexpr std::chrono::milliseconds shutdown_answer_deadline{5'000}, stream_answer_deadline{10'000};
}

VmRun::VmRun(RunHost& host, RunOwner& owner, machine::InstanceSpec spec, InstanceId id, RunNumber number)
    : host_(host),
      owner_(owner),
      spec_(std::move(spec)),
      id_(std::move(id)),
      number_(number),
      log_open_(host.log_hub, {id_, number}),
      tasks_(host.io.get_executor()) {}

VmRun::~VmRun() { release_run_user(host_, user_); }

void VmRun::start() {
  tasks_.spawn("run.start", [this] { return launch(); });
}

void VmRun::adopt() {
  tasks_.spawn("run.adopt", [this] { return take_up(); });
}

asio::awaitable<void> VmRun::stop() {
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  stopping_ = true;
  if (shim_) shim_->close();   // first: nobody is let in any more
  if (link_) co_await link_->stop();
  if (egress_) co_await egress_->stop();
  co_await tasks_.stop();
  shim_.reset();
}

// ---- commands ----

void VmRun::request_shutdown(protocol::ByeReport::Kind kind) {
  const auto answered = [this](Result<protocol::Reply> reply) {
    if (reply && reply->ok) return;
    spdlog::warn("run.shutdown_not_taken vm={} err=\"{}\"", id_.value(), reply ? reply->problem : reply.error().message());
    tasks_.spawn("run.powerdown", [this] { return press_power_button(); });
  };
  if (!link_ || !link_->is_up()) {
    tasks_.spawn("run.powerdown", [this] { return press_power_button(); });
    return;
  }
  const nlohmann::json args = {{"kind", to_text(kind)}};
  link_->request("shutdown", args.dump(), shutdown_answer_deadline, answered);
}

void VmRun::ask(api::GuestQuestion question, GuestAnswer done) {
  if (!link_) return done(Error(Errc::unavailable, question.op + ": there is no link to the guest"));
  link_->request(std::move(question.op), std::move(question.args), question.deadline,
                 [done = std::move(done)](Result<protocol::Reply> reply) {
                   if (!reply) return done(reply.error());
                   if (!reply->ok) return done(Error(Errc::conflict, reply->problem));
                   done(std::move(reply->result));
                 });
}

void VmRun::open_stream(std::string opening, std::string first, StreamOpened done) {
  tasks_.spawn("run.open_stream", [this, opening = std::move(opening), first = std::move(first), done = std::move(done)] { return dial_guest(opening, first, done); });
}

asio::awaitable<void> VmRun::dial_guest(std::string opening, std::string first, StreamOpened done) {
  const auto limit = stream_answer_deadline * protocol::deadline_scale(host_.accelerator.accelerator);
  const streams::Dial dial = [this] { return dial_streams(); };
  auto opened = co_await streams::open_guest_stream(dial, std::move(opening), limit, std::move(first));
  done(std::move(opened));
}

asio::awaitable<Result<streams::Dialled>> VmRun::dial_streams() {
  if (!shim_ || !shim_dials_) {
    auto directly = streams::dial_directly(vmm::vsock_uds_path(run_dir().string()));
    co_return co_await std::move(directly);
  }
  auto dialling = shim_->dial(protocol::streams_port);
  auto dialled = co_await std::move(dialling);
  if (dialled) co_return streams::Dialled{std::move(*dialled)};
  const bool is_nobody = dialled.error().code() == Errc::unavailable && dialled.error().message().empty();
  co_return is_nobody ? streams::nobody_there() : dialled.error();
}

asio::awaitable<void> VmRun::press_power_button() {
  if (!vmm_runs_) co_return;  // not there yet: the stop's deadline decides
  const VmmOrder order = [](vmm::RunningVm& vm) { return vm.request_powerdown(); };
  auto pressing = with_vmm(order);
  const auto pressed = co_await std::move(pressing);
  if (!pressed) spdlog::warn("run.powerdown_failed vm={} err=\"{}\"", id_.value(), pressed.error().message());
}

void VmRun::kill(int signal, const std::string& why) {
  spdlog::info("run.kill vm={} run={} signal={} why=\"{}\"", id_.value(), number_.value(), signal, why);
  kill_wanted_ = signal;
  if (shim_) send_kill();
}

/// Also when the shim is reached only after the kill was decided: by a daemon that has just begun, or in the midst of a start.
void VmRun::send_kill() {
  if (!kill_wanted_) return;
  const auto sent = shim_->kill_vmm(*kill_wanted_);
  if (!sent) spdlog::warn("run.kill_failed vm={} err=\"{}\"", id_.value(), sent.error().message());
}

void VmRun::acknowledge(const BootId& boot, Epoch epoch, Seq seq) {
  if (link_) link_->acknowledge(boot, epoch, seq);
}

void VmRun::break_link(const std::string& reason) {
  if (link_) link_->break_current(reason);
}

void VmRun::events_committed() {
  if (console_) console_->committed();
  follow_logs_when_due();
}

// Nobody dials a guest that boots: the agent keeps what services write until the VM is ready, or is not going to be.
void VmRun::follow_logs_when_due() {
  const auto& announced = owner_.run_state().announced;
  const bool boots = !announced || announced->state == protocol::RunState::booting;
  if (logs_ && agent_is_up_ && !boots) logs_->link_up();
}

std::vector<std::string> VmRun::console_tail() const { return console_ ? console_->tail() : std::vector<std::string>{}; }

// ---- what the guest's link tells ----

protocol::GuestConfig VmRun::guest_config() {
  protocol::GuestConfig config;
  config.services = spec_.services;
  config.env = spec_.env;
  config.secrets = owner_.secrets();
  config.hostname = spec_.name.value();
  if (spec_.egress.empty()) return config;
  config.egress = true;
  for (const auto* name : {"http_proxy", "https_proxy", "HTTPS_PROXY"})
    config.env.emplace(name, proxy_in_guest);   // HTTP_PROXY is what CGI programs take for a header
  for (const auto* name : {"no_proxy", "NO_PROXY"}) config.env.emplace(name, "localhost,127.0.0.1,::1");
  return config;
}

void VmRun::link_up(const BootId& boot, Epoch epoch, const protocol::Hello& hello) {
  machine::LinkUp up;
  up.boot = boot;
  up.epoch = epoch;
  up.phase = hello.phase;
  up.agent_version = hello.agent_version;
  up.build_id = hello.build_id;
  up.image_digest = hello.image_digest;
  up.kernel = hello.kernel;
  up.first_unacked = hello.first_unacked;
  owner_.happened(std::move(up));
  agent_is_up_ = hello.phase == "init";
  follow_logs_when_due();
}

void VmRun::link_lost(const guest_link::SessionEnd& end) {
  agent_is_up_ = false;
  link_heard_us_ = host_.clock.mono_us();
  if (logs_) logs_->link_lost();
  owner_.happened(machine::LinkLost{end.reason, end.cause});
  doubt();
}

void VmRun::link_refused(const std::string& reason) { owner_.happened(machine::LinkRefused{reason}); }
void VmRun::egress_refused(const protocol::Cause& cause, std::uint64_t count) { owner_.happened(machine::EgressRefused{cause, count}); }
void VmRun::reported(protocol::Report report) {
  // The link of the initramfs goes on in the agent's second life without another hello: this is when there is somebody to ask for logs.
  const auto* stage = std::get_if<protocol::StageReport>(&report.body);
  if (stage != nullptr && stage->stage == protocol::Stage::agent && stage->phase == protocol::StageReport::Phase::done) agent_is_up_ = true;
  machine::EventBody event = machine::Reported{std::move(report), machine::Channel::link, false, 0};
  mask_secrets(event, owner_.secrets());
  owner_.happened(std::move(event));
}
void VmRun::clock_synced(guest_link::ClockSample sample) { owner_.happened(machine::ClockSynced{sample.offset_us, sample.rtt_us}); }

void VmRun::tell(std::vector<machine::EventBody> bodies) {
  for (auto& body : bodies) {
    mask_secrets(body, owner_.secrets());
    owner_.happened(std::move(body));
  }
}

void VmRun::fail_start(protocol::Cause cause) {
  spdlog::warn("run.start_failed vm={} run={} cause={} text=\"{}\"", id_.value(), number_.value(), cause.text, protocol::sentence(cause));
  owner_.happened(machine::StartFailed{std::move(cause)});
}

}  // namespace vigil::daemon
