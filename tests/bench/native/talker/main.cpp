// vigil-talker: /init of a VM that does nothing but report, over the agent's own link, outbox, reporter and console. It tells what it says to a journal of its own, the disk
// that a VM's agent would put its root's changes on, and powers off when all is said and acknowledged.
//
// Shape:  kernel command line: talker.reports=N talker.a_second=R [talker.loud_of=L]. The journal: "VM BOOT SEQ TYPE WHAT" a report that the store keeps for ever, at last "end REPORTS DIGESTS_LEFT_OUT".
//         It waits while many reports are unacknowledged; in one second of L it does not, so that an outage then is more than the outbox holds.
#include "guest/boot/disks.hpp"
#include "guest/boot/modules.hpp"
#include "guest/config/build_identity.hpp"
#include "guest/config/kernel_command_line.hpp"
#include "guest/init/crash_guard.hpp"
#include "guest/init/early.hpp"
#include "guest/init/power.hpp"
#include "guest/link/host_line.hpp"
#include "guest/link/vsock_dial.hpp"
#include "guest/log/log.hpp"
#include "guest/process/small_file.hpp"
#include "tests/bench/native/talker/journal.hpp"
#include "tests/bench/native/talker/row.hpp"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

namespace {

using namespace vigil;
using namespace std::chrono_literals;
using protocol::ServiceState;
using protocol::Stage;

constexpr auto tick = 5ms;
constexpr auto bye_deadline = 60s;  // nothing is unacknowledged any more, and the device may be away just now
constexpr std::size_t max_waiting = 256;  // half of what the outbox holds
constexpr MonoUs second_us = 1'000'000;

std::uint64_t number_or_none(const std::string& line, const std::string& key) {
  const auto at = line.find(' ' + key + '=');
  return at == std::string::npos ? 0 : std::strtoull(line.c_str() + at + key.size() + 2, nullptr, 10);
}

std::uint64_t number_of(const std::string& line, const std::string& key) {
  const auto number = number_or_none(line, key);
  if (number == 0) throw std::runtime_error("the kernel command line has no " + key);
  return number;
}

guest::link::LinkFacts facts_for(const guest::config::KernelCommandLine& line) {
  guest::link::LinkFacts facts;
  facts.boot = BootId(guest::process::read_value("/proc/sys/kernel/random/boot_id"));
  facts.hello = {{protocol::protocol_version},
                 guest::config::agent_version(),
                 guest::config::build_id(),
                 line.image,
                 guest::config::kernel_release(),
                 {},
                 "init",
                 1,
                 ""};
  return facts;
}

void load_drivers() {
  const auto files = guest::boot::parse_module_list(guest::process::read_small_file("/etc/vigil/modules").value_or(""));
  if (const auto cause = guest::boot::load_modules(files, [](const std::string&) {})) throw std::runtime_error(cause->evidence.front());
}

std::string disk_with(guest::EventLoop& loop, const std::string& serial) {
  const auto disks = guest::boot::wait_for_disks(loop, {serial}, 5s);
  const auto device = guest::boot::find_device(disks, serial);
  if (!device) throw std::runtime_error("no disk " + serial + "; seen: " + guest::boot::describe(disks));
  return *device;
}

class Talker {
public:
  explicit Talker(const std::string& line)
      : wanted_(number_of(line, "talker.reports")),
        loud_of_(number_or_none(line, "talker.loud_of")),
        per_us_(static_cast<double>(number_of(line, "talker.a_second")) / 1e6),
        machine_(guest::config::parse_kernel_command_line(line)),
        facts_(facts_for(machine_)),
        journal_(disk_with(loop_, machine_.overlay_serial)),
        line_(loop_, dialler_, guest::console::ConsolePort::open_in_vm(), facts_, {}) {
    guest::log::use(line_.console().fd(), guest::log::Format::kernel);
    guest::init::install_crash_guard(facts_.boot, line_.console().fd());
  }

  [[noreturn]] void run() {
    line_.link().start();
    for (const auto stage : {Stage::initrd, Stage::rootfs, Stage::agent, Stage::services, Stage::ready}) {
      if (stage == Stage::ready) say(service("web", ServiceState::ready, true));
      say(protocol::StageReport{stage, protocol::StageReport::Phase::done, {}, {}});
    }
    last_ = loop_.now_us();
    step();
    loop_.run();
    guest::init::end_machine(protocol::ByeReport::Kind::poweroff, machine_.power_off);
  }

private:
  protocol::ServiceReport service(const char* name, ServiceState state, bool essential) {
    protocol::ServiceReport report;
    report.name = ServiceName(name);
    report.state = state;
    report.essential = essential;
    report.pid = 300;
    report.restarts = restarts_;
    report.since_us = loop_.now_us();
    return report;
  }

  /// The journal first: what was said is there, whatever happens then.
  void note(const protocol::ReportBody& body) {
    journal_.add(machine_.vm + ' ' + facts_.boot.value() + ' ' + std::to_string(line_.outbox().next_seq()) + ' ' + talker::row_of(body));
    ++said_;
  }

  void say(protocol::ReportBody body) {
    note(body);
    line_.reporter().submit(std::move(body));
  }

  bool may_say_more(MonoUs now) const { return line_.outbox().size() < max_waiting || (loud_of_ > 0 && now / second_us % loud_of_ == 0); }

  void step() {
    const MonoUs now = loop_.now_us();
    for (owed_ += static_cast<double>(now - last_) * per_us_; owed_ >= 1 && said_ < wanted_ && may_say_more(now); owed_ -= 1) {
      ++restarts_;
      say(service("worker", restarts_ % 2 == 1 ? ServiceState::starting : ServiceState::ready, false));  // as those do that restart
    }
    owed_ = std::min(owed_, 1.0);  // what could not be said is not owed
    last_ = now;
    if (said_ >= wanted_ && line_.outbox().size() == 0 && line_.link().is_up()) return say_bye();
    timer_ = loop_.after(tick, [this] { step(); });
  }

  void say_bye() {
    const protocol::ByeReport bye{protocol::ByeReport::Kind::poweroff, "all is said", false};
    note(bye);
    line_.say_bye(bye, bye_deadline, [this] {
      journal_.add("end " + std::to_string(said_) + ' ' + std::to_string(line_.reporter().digests_left_out()));
      journal_.finish();
      loop_.stop();
    });
  }

  std::uint64_t wanted_, loud_of_, said_ = 0;
  double per_us_, owed_ = 0;
  guest::config::KernelCommandLine machine_;
  guest::link::LinkFacts facts_;
  guest::EventLoop loop_;
  talker::Journal journal_;
  guest::link::VsockDialler dialler_;
  guest::link::HostLine line_;
  MonoUs last_ = 0;
  std::uint32_t restarts_ = 0;
  guest::LoopToken timer_;
};

}  // namespace

int main() {
  if (::getpid() != 1) {
    std::fprintf(stderr, "vigil-talker: runs as PID 1 of a VM only\n");
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  guest::init::mount_essentials();
  try {
    load_drivers();
    static Talker talker(guest::process::read_small_file("/proc/cmdline").value_or(""));
    talker.run();
  } catch (const std::exception& error) {
    guest::console::ConsolePort::open_in_vm().print_text(std::string("vigil-talker: ") + error.what() + "\n");
    guest::init::end_machine(protocol::ByeReport::Kind::poweroff, guest::config::PowerOff::acpi);
  }
}
