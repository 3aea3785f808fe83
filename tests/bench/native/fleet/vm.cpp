#include "tests/bench/native/fleet/vm.hpp"

#include "host/shim/process_identity.hpp"
#include "host/shim/shim_spec.hpp"
#include "host/shim/shim_wire.hpp"
#include "host/vmm/vsock_device.hpp"
#include "shared/base/overloaded.hpp"
#include "shared/protocol/control.hpp"
#include "shared/streams/opening.hpp"

#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <stdexcept>

namespace vigil::fleet {

namespace {

using namespace protocol;

constexpr const char* greeting =
    "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}, \"package\": \"simulated\"}, \"capabilities\": []}}\r\n";

guest::link::LinkFacts facts_of(const BootId& boot) {
  guest::link::LinkFacts facts;
  facts.boot = boot;
  facts.hello.protocols = {protocol_version};
  facts.hello.agent_version = "0.1.0";
  facts.hello.phase = "init";
  facts.hello.kernel = "6.12.0-simulated";
  facts.silence = {std::chrono::seconds(60), std::chrono::seconds(60)};   // of a daemon that is killed the socket tells
  return facts;
}

shim::ProcessIdentity own_identity() {
  static const auto identity = shim::identify(::getpid());
  if (!identity) throw std::runtime_error(identity.error().message());
  return *identity;
}

StageReport stage_done(Stage stage) {
  StageReport report;
  report.stage = stage;
  report.phase = StageReport::Phase::done;
  return report;
}

ServiceReport service(const char* name, ServiceState state, bool essential, std::uint32_t restarts, MonoUs since) {
  ServiceReport report;
  report.name = ServiceName(name);
  report.state = state;
  report.essential = essential;
  report.pid = 300;
  report.restarts = restarts;
  report.since_us = since;
  return report;
}

}  // namespace

BootId make_boot_id() {
  std::array<unsigned char, 16> bits{};
  if (::getrandom(bits.data(), bits.size(), 0) != static_cast<ssize_t>(bits.size())) throw std::runtime_error("getrandom");
  std::string text;
  for (std::size_t n = 0; n < bits.size(); ++n) {
    std::array<char, 3> digits{};
    std::snprintf(digits.data(), digits.size(), "%02x", bits[n]);
    text += digits.data();
    if (n == 3 || n == 5 || n == 7 || n == 9) text += '-';
  }
  return BootId(text);
}

Vm::Vm(guest::EventLoop& loop, const Clock& clock, InstanceId id, const std::filesystem::path& run)
    : loop_(loop),
      clock_(clock),
      id_(std::move(id)),
      boot_(make_boot_id()),
      outbox_(boot_, clock),
      link_(loop, *this, outbox_, facts_of(boot_), {.welcomed = {}, .requested = {}, .acknowledged = [this] { acknowledged(); }}),
      shim_(loop, shim::shim_socket_path((run / id_.value()).string()),
            [this](std::uint64_t connection, std::string& unread, std::string& answer) { return serve_shim(connection, unread, answer); }),
      control_(
          loop, (run / id_.value() / "qmp.sock").string(),
          [](std::uint64_t, std::string& unread, std::string& answer) { return serve_control(unread, answer); }, greeting),
      streams_(loop, vmm::vsock_uds_path((run / id_.value()).string()),
               [](std::uint64_t, std::string& unread, std::string& answer) { return serve_stream(unread, answer); }) {}

void Vm::boot() {
  for (const auto stage : {Stage::initrd, Stage::rootfs, Stage::agent, Stage::services, Stage::ready}) {
    if (stage == Stage::ready) say(service("web", ServiceState::ready, true, 0, loop_.now_us()));
    say(stage_done(stage));
  }
}

void Vm::report_health() {
  HealthReport health;
  health.memory_total_kib = 240'000;
  health.memory_available_kib = 180'000 + id_.value().back();
  health.root_total_kib = 1'000'000;
  health.root_available_kib = 900'000;
  health.processes = 40;
  health.top = {{1, "vigil-guest", "", 1, 1'500}, {300, "web", "web", 12, 9'000}, {301, "worker", "worker", 3, 4'000}};
  health.file_systems = {{"/", 1'000'000, 900'000, 65'536, 60'000}};
  outbox_.append(std::move(health));
  link_.flush();
}

/// One that comes and goes, as those do that restart.
void Vm::report_service() {
  const bool begins = restarts_ % 2 == 0;
  say(service("worker", begins ? ServiceState::starting : ServiceState::ready, false, ++restarts_, loop_.now_us()));
}

void Vm::say(ReportBody body) {
  auto type = report_type(body);
  const Seq seq = outbox_.append(std::move(body));
  journal_.durable.emplace_back(seq, std::move(type));
  waiting_.emplace_back(seq, clock_.mono_us());
  link_.flush();
}

void Vm::acknowledged() {
  const MonoUs now = clock_.mono_us();
  auto first = waiting_.begin();
  for (; first != waiting_.end() && first->first < outbox_.first_unacked(); ++first)
    journal_.acknowledged_us.push_back(now - first->second);
  waiting_.erase(waiting_.begin(), first);
}

Result<UniqueFd> Vm::dial() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) return Error::from_errno("socketpair", errno);
  UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  if (shim_.pass(attached_, shim::frame_of(shim::ShimEvent(shim::Dialled{link_port})), theirs.get())) return ours;
  return Error(Errc::unavailable, "no daemon is attached");
}

bool Vm::serve_shim(std::uint64_t connection, std::string& unread, std::string& answer) {
  framing::FrameReader frames(shim::max_command_bytes);
  frames.feed(std::exchange(unread, {}));
  for (;;) {
    auto frame = frames.next();
    if (!frame) return false;
    if (!*frame) break;
    const auto command = shim::parse_command(**frame);
    if (!command || std::holds_alternative<shim::Kill>(*command)) return false;
    if (std::holds_alternative<shim::Attach>(*command)) attached_ = connection;
    const shim::Status status{id_, RunNumber(run_number), shim::Phase::running, own_identity(), own_identity(), own_identity(), 0, true};
    answer += shim::frame_of(shim::ShimEvent(status));
  }
  unread = frames.take_rest();
  return true;
}

bool Vm::serve_control(std::string& unread, std::string& answer) {
  for (std::size_t end = unread.find('\n'); end != std::string::npos; end = unread.find('\n')) {
    const std::string line = unread.substr(0, end);
    unread.erase(0, end + 1);
    const auto id = line.find("\"id\":");
    const auto number = id == std::string::npos ? 0 : std::strtol(line.c_str() + id + 5, nullptr, 10);
    const char* value = line.find("query-status") != std::string::npos ? R"({"running": true, "status": "running"})" : "{}";
    answer += std::string(R"({"return": )") + value + R"(, "id": )" + std::to_string(number) + "}\r\n";
  }
  return true;
}

/// The device's word, then the agent's: it follows logs of which there are none.
bool Vm::serve_stream(std::string& unread, std::string& answer) {
  if (unread.starts_with("CONNECT")) {
    const auto end = unread.find('\n');
    if (end == std::string::npos) return true;
    unread.erase(0, end + 1);
    answer += "OK 1073741824\n";
  }
  framing::FrameReader frames;
  frames.feed(std::exchange(unread, {}));
  auto opening = frames.next();
  if (!opening) return false;
  if (*opening)
    answer += framing::make_frame(streams::encode_answer(Result<std::string>(R"({"boot":"00000000-0000-4000-8000-000000000000"})")));
  unread = frames.take_rest();
  return true;
}

}  // namespace vigil::fleet
