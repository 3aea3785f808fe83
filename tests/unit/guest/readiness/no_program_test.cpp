// No probe but exec starts a program: each runs in a child of the test in which the kernel ends whoever would.
#include "tests/unit/guest/readiness/local_server.hpp"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <array>
#include <cstddef>

namespace vigil::guest::readiness {
namespace {

constexpr int passed_code = 42;

bool forbid_new_processes() {
  constexpr std::uint32_t forbidden[] = {__NR_clone, __NR_clone3, __NR_fork, __NR_vfork, __NR_execve, __NR_execveat};
  std::vector<sock_filter> filter{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (const std::uint32_t number : forbidden) {
    filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1));
    filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
  }
  filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/// How a process ends that runs the probes `make` gives, with `prepare` done before and `meanwhile` after they have begun.
using SpecsOf = std::function<std::vector<service_spec::ProbeSpec>(ProbeScene&, const TestSocket&)>;
int end_of(const SpecsOf& make, const std::vector<std::string>& answers = {""},
           LocalServer::Speaks speaks = LocalServer::Speaks::after_request) {
  const pid_t child = fork();
  if (child == 0) {
    ProbeScene scene;
    const TestSocket socket;
    socket.start_listening();
    const LocalServer server(scene.loop, socket, answers, speaks);
    const auto specs = make(scene, socket);
    if (!forbid_new_processes()) _exit(1);
    scene.start_on_ourselves(specs);
    _exit(scene.wait_until_passed() ? passed_code : 2);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return status;
}

bool passes(const SpecsOf& make, const std::vector<std::string>& answers = {""},
            LocalServer::Speaks speaks = LocalServer::Speaks::after_request) {
  const int status = end_of(make, answers, speaks);
  return WIFEXITED(status) && WEXITSTATUS(status) == passed_code;
}

TEST_CASE("probes: no one but exec starts a program", "[guest][readiness]") {
  CHECK(passes(
      [](ProbeScene&, const TestSocket& socket) { return std::vector<service_spec::ProbeSpec>{service_spec::TcpProbe{socket.port()}}; }));
  CHECK(passes([](ProbeScene&, const TestSocket&) { return std::vector<service_spec::ProbeSpec>{service_spec::FileProbe{"/proc/self"}}; }));
  CHECK(passes([](ProbeScene&, const TestSocket&) {
    return std::vector<service_spec::ProbeSpec>{service_spec::StableForProbe{std::chrono::milliseconds(1)}};
  }));
  CHECK(passes(
      [](ProbeScene&, const TestSocket& socket) { return std::vector<service_spec::ProbeSpec>{service_spec::HttpProbe{socket.port()}}; },
      {"HTTP/1.1 200 OK\r\n\r\n"}));
  CHECK(passes(
      [](ProbeScene&, const TestSocket& socket) { return std::vector<service_spec::ProbeSpec>{service_spec::RfbProbe{socket.port()}}; },
      {"RFB 003.008\n"}, LocalServer::Speaks::at_once));
  CHECK(passes([](ProbeScene& scene, const TestSocket&) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = scene.file("socket");
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);   // kept until the process ends
    if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(fd, 1) != 0) _exit(3);
    return std::vector<service_spec::ProbeSpec>{service_spec::UnixProbe{path}};
  }));
}

TEST_CASE("probes: those that fail, look for the holder of a port or are refused start none either", "[guest][readiness]") {
  // They never pass; the process that stays alive until its own deadline would be slow, so each is paired with one that does, and watched until then.
  const auto with_stable = [](const service_spec::ProbeSpec& spec) {
    return std::vector<service_spec::ProbeSpec>{spec, service_spec::StableForProbe{std::chrono::milliseconds(100)}};
  };
  const auto lives_on = [&](const std::function<service_spec::ProbeSpec(const TestSocket&)>& make, const std::string& answer) {
    const pid_t child = fork();
    if (child == 0) {
      ProbeScene scene;
      const TestSocket socket;
      socket.start_listening();
      const LocalServer server(scene.loop, socket, {answer});
      if (!forbid_new_processes()) _exit(1);
      scene.start_on_ourselves(with_stable(make(socket)));
      _exit(run_until(scene.loop, [&] { return scene.probes->results()[1].passed; }) ? passed_code : 2);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) && WEXITSTATUS(status) == passed_code;
  };
  CHECK(lives_on([](const TestSocket& socket) { return service_spec::WebsocketProbe{socket.port()}; }, "HTTP/1.1 404 Not Found\r\n\r\n"));
  CHECK(lives_on(
      [](const TestSocket& socket) { return service_spec::X11Probe{"127.0.0.1", static_cast<std::uint16_t>(socket.port() - 6000)}; },
      "HTTP/1.1 400\r\n\r\n"));
  CHECK(lives_on([](const TestSocket&) { return service_spec::X11Probe{"", 31'999}; }, ""));
  CHECK(lives_on([](const TestSocket& socket) { return service_spec::TcpProbe{socket.port(), "0.0.0.0"}; }, ""));
}

TEST_CASE("probes: exec would be caught", "[guest][readiness]") {
  const int status =
      end_of([](ProbeScene&, const TestSocket&) { return std::vector<service_spec::ProbeSpec>{service_spec::ExecProbe{{"/bin/true"}}}; });
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGSYS);
}

}  // namespace
}  // namespace vigil::guest::readiness
