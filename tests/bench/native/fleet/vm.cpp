#include "tests/bench/native/fleet/vm.hpp"

#include "guest/link/unix_dial.hpp"
#include "host/shim/process_identity.hpp"
#include "host/shim/shim_spec.hpp"
#include "host/shim/shim_wire.hpp"
#include "host/vmm/vsock_device.hpp"
#include "shared/base/overloaded.hpp"
#include "shared/protocol/control.hpp"
#include "shared/streams/opening.hpp"
#include "tests/bench/native/talker/row.hpp"

#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
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

std::string console_from(const RoughConsole& console, std::uint64_t offset) {
  std::string frames;
  for (; offset < console.bytes().size(); offset += shim::max_console_piece)
    frames += shim::frame_of(shim::ShimEvent(shim::ConsoleBytes{offset, console.bytes().substr(offset, shim::max_console_piece)}));
  return frames;
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

Vm::Vm(guest::EventLoop& loop, const Clock& clock, InstanceId id, const std::filesystem::path& run, const Way& way)
    : loop_(loop),
      clock_(clock),
      id_(std::move(id)),
      boot_(make_boot_id()),
      console_(boot_, way.console_seed),
      outbox_(boot_, clock),
      reporter_(
          outbox_, clock,
          way.console_seed == 0 ? guest::report::Reporter::DigestPrinter()
                                : [this](Seq seq, const std::string& digest) { print(seq, digest); }),
      way_(way),
      door_path_(vmm::vsock_listen_path((run / id_.value()).string(), link_port)),
      link_(loop, *this, outbox_, facts_of(boot_), {.welcomed = {}, .requested = {}, .acknowledged = [this] { acknowledged(); }}),
      shim_(loop, shim::shim_socket_path((run / id_.value()).string()),
            [this](std::uint64_t client, std::string& unread, std::string& answer) { return serve_shim(client, unread, answer); }),
      control_(
          loop, (run / id_.value() / "qmp.sock").string(),
          [](std::uint64_t, std::string& unread, std::string& answer) { return serve_control(unread, answer); }, greeting),
      streams_(loop, vmm::vsock_uds_path((run / id_.value()).string()),
               [](std::uint64_t, std::string& unread, std::string& answer) { return serve_stream(unread, answer); }) {
  if (!way_.link_suffix.empty()) open_door();
}

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
  std::string row = talker::row_of(body);
  const Seq seq = reporter_.submit(std::move(body));
  journal_.durable.emplace_back(seq, std::move(row));
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

void Vm::print(Seq seq, const std::string& digest) {
  const std::uint64_t before = console_.bytes().size();
  console_.print(seq, digest);
  for (const std::uint64_t client : console_clients_) shim_.say_to(client, console_from(console_, before));
}

/// As a shim does, for those whose links go over a proxy on their way.
void Vm::open_door() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (door_path_.size() >= sizeof(address.sun_path)) throw std::runtime_error(door_path_ + ": longer than a socket's path may be");
  std::memcpy(address.sun_path, door_path_.data(), door_path_.size());
  ::unlink(door_path_.c_str());   // of a process that has gone
  door_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (::bind(door_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || ::listen(door_.get(), 16) != 0)
    throw std::runtime_error(door_path_ + ": " + std::strerror(errno));
  door_watch_ = loop_.watch(door_.get(), EPOLLIN, [this](std::uint32_t) {
    const UniqueFd dialled(::accept4(door_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (dialled) hand_over(dialled.get());
  });
}

bool Vm::hand_over(int dialled) { return shim_.pass(attached_, shim::frame_of(shim::ShimEvent(shim::Dialled{link_port})), dialled); }

Result<UniqueFd> Vm::dial() {
  if (!way_.link_suffix.empty()) return guest::link::UnixDialler(door_path_ + way_.link_suffix).dial();
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) return Error::from_errno("socketpair", errno);
  UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  if (hand_over(theirs.get())) return ours;
  return Error(Errc::unavailable, "no daemon is attached");
}

bool Vm::serve_shim(std::uint64_t client, std::string& unread, std::string& answer) {
  framing::FrameReader frames(shim::max_command_bytes);
  frames.feed(std::exchange(unread, {}));
  for (;;) {
    auto frame = frames.next();
    if (!frame) return false;
    if (!*frame) break;
    const auto command = shim::parse_command(**frame);
    if (!command || std::holds_alternative<shim::Kill>(*command)) return false;
    if (std::holds_alternative<shim::Attach>(*command)) attached_ = client;
    const shim::Status status{
        id_, RunNumber(run_number), shim::Phase::running, own_identity(), own_identity(), own_identity(), console_.bytes().size(), true};
    answer += shim::frame_of(shim::ShimEvent(status));
    if (const auto* attach = std::get_if<shim::Attach>(&*command)) {
      console_clients_.insert(client);
      answer += console_from(console_, attach->console_offset);
    }
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
