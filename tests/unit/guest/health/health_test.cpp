#include "guest/health/health_before_death.hpp"
#include "guest/health/health_monitor.hpp"
#include "guest/health/health_sample.hpp"
#include "guest/health/kernel_log.hpp"
#include "guest/health/listening_ports.hpp"
#include "guest/health/mounts.hpp"
#include "guest/health/pressure.hpp"
#include "guest/health/top_processes.hpp"
#include "guest/init/wall_clock.hpp"
#include "guest/process/small_file.hpp"
#include "tests/unit/guest/process/scene.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vector>

namespace vigil::guest::health {

namespace {

HealthSample with_root(std::uint64_t total, std::uint64_t available) {
  HealthSample sample;
  sample.file_systems = {{"/", {total, available}, {1'000, 900}}};
  return sample;
}

}  // namespace

TEST_CASE("health: reads the kernel's text", "[guest][health]") {
  const auto memory = parse_meminfo("MemTotal:         245760 kB\nMemFree:           10 kB\nMemAvailable:     123456 kB\n");
  REQUIRE(memory.total == 245'760);
  REQUIRE(memory.available == 123'456);
  REQUIRE(parse_meminfo("").total == 0);
  REQUIRE(parse_loadavg("1.25 0.10 0.05 2/87 4021\n") == std::pair<std::uint32_t, std::uint32_t>{1'250, 87});
  REQUIRE(parse_loadavg("nonsense") == std::pair<std::uint32_t, std::uint32_t>{0, 0});
}

TEST_CASE("health: a full disk is a cause, and ends only with a margin", "[guest][health]") {
  REQUIRE(to_report(with_root(1'000, 100), {}).causes.empty());
  const auto full = to_report(with_root(1'000, 29), {});
  REQUIRE(full.causes.size() == 1);
  REQUIRE(full.causes[0].text == "guest.disk_full");
  REQUIRE(protocol::field_text(full.causes[0], "mount") == "/");
  REQUIRE(to_report(with_root(1'000, 50), {}).causes.empty());
  REQUIRE(to_report(with_root(1'000, 50), full.causes).causes == full.causes);
  REQUIRE(to_report(with_root(1'000, 61), full.causes).causes.empty());
}

TEST_CASE("health: inodes are judged apart from space, and a file system without them is not full", "[guest][health]") {
  HealthSample sample = with_root(1'000, 900);
  sample.file_systems[0].inodes = {100, 1};
  REQUIRE(to_report(sample, {}).causes.at(0).text == "guest.inodes_full");
  sample.file_systems[0].inodes = {0, 0};
  REQUIRE(to_report(sample, {}).causes.empty());
}

TEST_CASE("health: a real machine has memory, processes and a root", "[guest][health]") {
  const auto report = to_report(take_sample({"/"}), {});
  REQUIRE(report.memory_total_kib > 0);
  REQUIRE(report.memory_available_kib > 0);
  REQUIRE(report.processes > 0);
  REQUIRE(report.root_total_kib > 0);
}

TEST_CASE("health: little memory is a cause, and ends only with a margin", "[guest][health]") {
  HealthSample sample = with_root(1'000, 900);
  sample.memory_kib = {1024 * 1024, 51 * 1024};   // a little less than 5 %
  const auto low = to_report(sample, {});
  REQUIRE(low.causes.size() == 1);
  CHECK(low.causes[0].text == "guest.memory_low");
  CHECK(protocol::field_text(low.causes[0], "mib") == "1024");
  sample.memory_kib.available = 80 * 1024;
  CHECK(to_report(sample, low.causes).causes == low.causes);
  CHECK(to_report(sample, {}).causes.empty());
}

TEST_CASE("health: writable local file systems are found, one a device, the root first", "[guest][health]") {
  const std::string info =
      "20 1 0:17 / / rw,relatime - overlay overlay rw,lowerdir=/a,upperdir=/b\n"
      "21 20 0:18 / /run rw,nosuid - tmpfs tmpfs rw,mode=755\n"
      "22 20 0:19 / /proc rw - proc proc rw\n"
      "23 20 254:16 / /data\\040disk rw,noatime shared:1 master:2 - ext4 /dev/vdb rw\n"
      "24 20 254:16 /sub /again rw - ext4 /dev/vdb rw\n"
      "25 20 254:32 / /media ro,relatime - ext4 /dev/vdc rw\n"
      "26 20 254:48 / /cd rw - ext4 /dev/vdd ro,norecovery\n"
      "27 20 0:30 / /remote rw - fuse.sshfs host:/ rw\n"
      "28 20 254:64 / /run/vigil/layers/disk rw - ext4 /dev/vde rw\n"
      "28 20 0:31 / /squash rw - squashfs /dev/loop0 rw\n"
      "broken\n29 20 0:32 / /cut rw -\n";
  CHECK(writable_mounts(info) == std::vector<std::string>{"/", "/run", "/data disk"});
  CHECK(writable_mounts("21 20 0:18 / /run rw - tmpfs tmpfs rw\n22 20 0:19 / /run rw - proc proc rw\n").empty());   // hidden by another
  CHECK(writable_mounts("").empty());
}

TEST_CASE("health: pressure is read to a tenth of a percent", "[guest][health]") {
  const auto stalls = parse_pressure("some avg10=1.25 avg60=0.50 avg300=0.10 total=123\nfull avg10=99.00 avg60=0.00 avg300=0.00 total=0\n");
  REQUIRE(stalls);
  CHECK(stalls->some_permille == 12);
  CHECK(stalls->full_permille == 990);
  CHECK(parse_pressure("some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n")->full_permille == 0);
  CHECK_FALSE(parse_pressure(""));
  CHECK_FALSE(parse_pressure("some avg10=x"));
  CHECK_FALSE(parse_pressure("some avg10=4294967296.0"));
  CHECK(parse_pressure("some avg10=7")->some_permille == 70);
}

TEST_CASE("health: records of the kernel's log are taken apart", "[guest][health]") {
  const auto record = parse_kernel_record("3,1851,11200000,-;EXT4-fs error (device vdb): bad\n SUBSYSTEM=block\n DEVICE=b254:16\n");
  REQUIRE(record);
  CHECK(record->facility == 0);
  CHECK(record->level == 3);
  CHECK(record->at_us == 11'200'000);
  CHECK(record->text == "EXT4-fs error (device vdb): bad");
  CHECK(parse_kernel_record("11,1,2,-;of a program")->facility == 1);
  CHECK(parse_kernel_record("6,1,2,c,more,fields;text")->text == "text");
  for (const char* text : {"", "3", "3,1,2", "3,1,2,-", "x,1,2,-;t", "3,1,99999999999999999999,-;t"}) CHECK_FALSE(parse_kernel_record(text));
}

TEST_CASE("health: the busiest processes come first, then the largest; the first look has no times", "[guest][health]") {
  const std::uint64_t ticks = static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK)), page_kib = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)) / 1024;
  const auto stat = [](pid_t pid, std::uint64_t start, std::uint64_t cpu, std::uint64_t rss) {
    process::ProcessStat made;
    made.pid = pid;
    made.comm = "p" + std::to_string(pid);
    made.start_ticks = start;
    made.cpu_ticks = cpu;
    made.rss_pages = rss;
    return made;
  };
  TopProcesses top;
  const auto first = top.judge(1'000'000, {stat(1, 1, 500, 10), stat(2, 1, 900, 30), stat(3, 1, 7, 0)});
  REQUIRE(first.size() == 2);   // one rests and has no memory of its own
  CHECK(first[0].pid == 2);
  CHECK(first[0].cpu_permille == 0);
  const auto second = top.judge(6'000'000, {stat(1, 1, 500 + ticks, 10), stat(2, 1, 900, 30), stat(3, 9, ticks * 5 / 2, 0)});   // 3 is another one now
  REQUIRE(second.size() == 3);
  CHECK(second[0].pid == 3);
  CHECK(second[0].cpu_permille == 500);
  CHECK(second[1].pid == 1);
  CHECK(second[1].cpu_permille == 200);
  CHECK(second[1].rss_kib == 10 * page_kib);
  const auto third = top.judge(11'000'000, {stat(2, 1, 900, 30)}, {1});   // 1 is not looked at now
  REQUIRE(third.size() == 1);
  const auto fourth = top.judge(16'000'000, {stat(1, 1, 500 + 3 * ticks, 10)});
  REQUIRE(fourth.size() == 1);
  CHECK(fourth[0].cpu_permille == 200);   // two seconds of the ten since it was looked at
}

namespace {

struct KeptReports final : ReportSink {
  Seq submit(protocol::ReportBody body) override {
    bodies.push_back(std::move(body));
    return bodies.size();
  }
  std::vector<protocol::NetReport> nets() const {
    std::vector<protocol::NetReport> found;
    for (const auto& body : bodies)
      if (const auto* net = std::get_if<protocol::NetReport>(&body)) found.push_back(*net);
    return found;
  }
  std::vector<protocol::ReportBody> bodies;
};

UniqueFd listen_on_loopback(std::uint16_t& port) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(bind(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
  REQUIRE(listen(fd.get(), 1) == 0);
  socklen_t length = sizeof to;
  getsockname(fd.get(), reinterpret_cast<sockaddr*>(&to), &length);
  port = ntohs(to.sin_port);
  return fd;
}

}  // namespace

TEST_CASE("ports: told whole when one comes or goes, with owner and service, and not otherwise", "[guest][health]") {
  KeptReports sink;
  ListeningPorts ports(sink, ListeningPorts::Scope::services, [](pid_t pid) { return pid == getpid() ? std::string("web") : std::string(); });
  ports.look();
  CHECK(sink.nets().empty());   // nobody listens, as was assumed
  std::uint16_t port = 0;
  UniqueFd fd = listen_on_loopback(port);
  ports.look();
  ports.look();
  REQUIRE(sink.nets().size() == 1);
  REQUIRE(sink.nets()[0].listeners.size() == 1);
  const protocol::ListeningPort listener = sink.nets()[0].listeners[0];
  CHECK(listener.port == port);
  CHECK(listener.address == "127.0.0.1");
  CHECK(listener.service == "web");
  CHECK(listener.pid == getpid());
  CHECK_FALSE(listener.process.empty());
  fd.reset();
  ports.look();
  REQUIRE(sink.nets().size() == 2);
  CHECK(sink.nets()[1].listeners.empty());
}

TEST_CASE("health: a monitor reports what it saw, with a peak that stays", "[guest][health]") {
  EventLoop loop;
  KeptReports sink;
  HealthMonitor monitor(loop, sink, HealthMonitor::Scope::machine, {});
  monitor.clock_offset(-77);
  monitor.report_now();
  monitor.report_now();
  REQUIRE(sink.bodies.size() == 2);
  const auto& report = std::get<protocol::HealthReport>(sink.bodies[1]);
  CHECK(report.memory_peak_kib > 0);
  CHECK(report.memory_peak_kib >= report.memory_total_kib - report.memory_available_kib);
  REQUIRE_FALSE(report.file_systems.empty());
  const bool root_is_a_mount = process::read_small_file("/proc/self/mountinfo", 256 * 1024).value_or("").find(" / / rw") != std::string::npos;
  if (root_is_a_mount) CHECK(report.file_systems[0].mount == "/");   // in a chroot it need not be one
  CHECK_FALSE(report.top.empty());
  CHECK(report.clock_offset_us == -77);
}

TEST_CASE("wall clock: the least of eight offsets is taken, for words come late and never early", "[guest][init]") {
  init::OffsetFilter filter;
  for (const std::int64_t offset : {900, 700, 300, 800, 500, 600, 400}) CHECK_FALSE(filter.add(offset));
  CHECK(filter.add(1000) == 300);
  for (int i = 0; i < 7; ++i) CHECK_FALSE(filter.add(50));
  CHECK(filter.add(60) == 50);
}

TEST_CASE("health: what happened and is over is reported at once and stays for a while", "[guest][health]") {
  EventLoop loop;
  KeptReports sink;
  HealthMonitor monitor(loop, sink, HealthMonitor::Scope::root_only, {});
  const auto causes = [&](std::size_t index) { return std::get<protocol::HealthReport>(sink.bodies.at(index)).causes; };
  monitor.raise(protocol::make_cause(protocol::CauseCode::guest_clock_jumped, {{"delta", std::int64_t{3600}}}));
  REQUIRE(sink.bodies.size() == 1);
  REQUIRE(causes(0).size() == 1);
  CHECK(causes(0)[0].text == "guest.clock_jumped");
  CHECK(protocol::field_text(causes(0)[0], "delta") == "3600");
  monitor.report_now();
  CHECK(causes(1) == causes(0));
  for (int i = 0; i < 20; ++i) monitor.raise(protocol::make_cause(protocol::CauseCode::guest_clock_jumped, {{"delta", std::int64_t{i}}}));
  CHECK(causes(sink.bodies.size() - 1).size() == 8);
}

TEST_CASE("health: a death is preceded by a look, which is told only when it found something new", "[guest][health]") {
  EventLoop loop;
  KeptReports sink;
  HealthMonitor monitor(loop, sink, HealthMonitor::Scope::root_only, {});
  HealthBeforeDeath before(sink, monitor);
  monitor.raise(protocol::make_cause(protocol::CauseCode::guest_clock_jumped, {{"delta", std::int64_t{3600}}}));
  before.submit(protocol::CrashReport{});
  before.submit(protocol::ServiceReport{});
  REQUIRE(sink.bodies.size() == 3);   // the machine of a test is not full
  CHECK(std::holds_alternative<protocol::CrashReport>(sink.bodies[1]));
}

}  // namespace vigil::guest::health
