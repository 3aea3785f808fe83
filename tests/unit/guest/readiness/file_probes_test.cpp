#include "guest/readiness/unix_probe.hpp"
#include "tests/unit/guest/readiness/probe_scene.hpp"

#include <sys/un.h>

#include <cstring>
#include <filesystem>
#include <fstream>

namespace vigil::guest::readiness {
namespace {

UniqueFd bind_unix(const std::string& path) {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path, path.c_str(), path.size() + 1);
  REQUIRE(bind(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
  return fd;
}

TEST_CASE("file: passes when the file appears, also where its directories do not exist yet", "[guest][readiness]") {
  ProbeScene scene;
  const std::string path = scene.file("a/b/c/ready");
  scene.start_on_ourselves({service_spec::FileProbe{path}});
  scene.settle();
  CHECK_FALSE(scene.probes->all_passed());
  SECTION("one by one") {
    std::filesystem::create_directory(scene.file("a"));
    scene.settle();
    std::filesystem::create_directory(scene.file("a/b"));
    scene.settle();
    std::filesystem::create_directory(scene.file("a/b/c"));
    scene.settle();
  }
  SECTION("all at once") { std::filesystem::create_directories(scene.file("a/b/c")); }
  SECTION("moved into place") {
    std::filesystem::create_directories(scene.file("x/b/c"));
    std::filesystem::rename(scene.file("x"), scene.file("a"));
  }
  CHECK_FALSE(scene.probes->all_passed());
  std::ofstream(path) << "x";
  CHECK(scene.wait_until_passed());
}

TEST_CASE("file: a directory that is replaced while we wait is followed", "[guest][readiness]") {
  ProbeScene scene;
  std::filesystem::create_directory(scene.file("run"));
  scene.start_on_ourselves({service_spec::FileProbe{scene.file("run/ready")}});
  scene.settle();
  std::filesystem::remove(scene.file("run"));
  scene.settle();
  std::filesystem::create_directory(scene.file("run"));
  scene.settle();
  std::ofstream(scene.file("run/ready")) << "x";
  CHECK(scene.wait_until_passed());
}

TEST_CASE("unix: the socket must accept connections, its file alone is not enough", "[guest][readiness]") {
  ProbeScene scene;
  const std::string path = scene.file("socket");
  scene.start_on_ourselves({service_spec::UnixProbe{path}});
  const UniqueFd fd = bind_unix(path);
  scene.settle();
  CHECK_FALSE(scene.probes->all_passed());
  REQUIRE(listen(fd.get(), 1) == 0);
  CHECK(scene.wait_until_passed());
}

TEST_CASE("unix: a file left by an earlier process does not count", "[guest][readiness]") {
  ProbeScene scene;
  const std::string path = scene.file("socket");
  { const UniqueFd gone = bind_unix(path); }
  scene.start_on_ourselves({service_spec::UnixProbe{path}});
  scene.settle();
  CHECK_FALSE(scene.probes->all_passed());
  CHECK(scene.probes->timeout_cause().evidence[0].find("nobody accepts") != std::string::npos);
  std::filesystem::remove(path);
  const UniqueFd fd = bind_unix(path);
  REQUIRE(listen(fd.get(), 1) == 0);
  CHECK(scene.wait_until_passed());
}

TEST_CASE("unix: the kernel's table is read, with blanks in paths and damaged rows", "[guest][readiness]") {
  constexpr const char* table =
      "Num       RefCount Protocol Flags    Type St Inode Path\n"
      "ffff8c1d: 00000002 00000000 00010000 0001 01 19053 /run/a b\n"
      "ffff8c1e: 00000002 00000000 00000000 0001 01 19054 /run/bound\n"
      "ffff8c1f: 00000002 00000000 00000000 0002 01 19055 /run/datagrams\n"
      "ffff8c20: 00000003 00000000 00000000 0001 03 19056\n"
      "ffff8c21:\n"
      "ffff8c22: 00000002 00000000 00010000 0001 01 19057 @/run/abstract\n";
  CHECK(find_unix_socket(table, "/run/a b") == UnixSocketState::accepting);
  CHECK(find_unix_socket(table, "/run/bound") == UnixSocketState::bound);
  CHECK(find_unix_socket(table, "/run/datagrams") == UnixSocketState::accepting);
  CHECK(find_unix_socket(table, "/run/abstract") == UnixSocketState::absent);
  CHECK(find_unix_socket("", "/run/x") == UnixSocketState::absent);
}

TEST_CASE("exec: the program is run again until it ends with success, and not after", "[guest][readiness]") {
  ProbeScene scene;
  service_spec::ExecProbe probe;
  probe.argv = {"/bin/sh", "-c", "echo x >> " + scene.file("runs") + "; test $(wc -l < " + scene.file("runs") + ") -ge 3"};
  probe.interval = std::chrono::milliseconds(5);
  scene.start_on_ourselves({probe});
  CHECK(scene.wait_until_passed());
  scene.settle();
  CHECK(std::filesystem::file_size(scene.file("runs")) == 6);
}

TEST_CASE("exec: what the program answered is said in the time-out; a program that is not there too", "[guest][readiness]") {
  ProbeScene scene;
  service_spec::ExecProbe probe;
  probe.argv = {"/bin/sh", "-c", "exit 4"};
  std::string wanted = "/bin/sh ended with code 4";
  SECTION("exit code") {}
  SECTION("missing") {
    probe.argv = {"/nonexistent/check"};
    wanted = "/nonexistent/check: No such file or directory";
  }
  scene.start_on_ourselves({probe});
  REQUIRE(run_until(scene.loop, [&] { return !scene.probes->timeout_cause().evidence.empty(); }));
  CHECK(scene.probes->timeout_cause().evidence[0].ends_with(wanted));
}

TEST_CASE("exec: a probe that is dropped while its program runs takes it along", "[guest][readiness]") {
  ProbeScene scene;
  service_spec::ExecProbe probe;
  probe.argv = {"/bin/sh", "-c", "echo $$ > " + scene.file("pid") + "; exec sleep 1000"};
  scene.start_on_ourselves({probe});
  pid_t pid = 0;
  REQUIRE(run_until(scene.loop, [&] { return (std::ifstream(scene.file("pid")) >> pid) && pid > 0; }));
  bool was_orphan = false;
  scene.reaper.on_orphan([&](const process::ProcessEnd& end) { was_orphan = was_orphan || end.pid == pid; });
  scene.probes.reset();
  CHECK(run_until(scene.loop, [&] { return kill(pid, 0) != 0; }));
  CHECK_FALSE(was_orphan);
}

TEST_CASE("probe set: ready when every probe has passed, each with its own time", "[guest][readiness]") {
  ProbeScene scene;
  scene.start_on_ourselves({service_spec::FileProbe{scene.file("one")}, service_spec::FileProbe{scene.file("two")}});
  std::ofstream(scene.file("two")) << "x";
  REQUIRE(run_until(scene.loop, [&] { return scene.probes->results()[1].passed; }));
  CHECK_FALSE(scene.probes->all_passed());
  CHECK(protocol::field_text(scene.probes->timeout_cause(), "probe") == "file:" + scene.file("one"));
  std::ofstream(scene.file("one")) << "x";
  CHECK(scene.wait_until_passed());
  CHECK(scene.probes->results()[0].passed_us >= scene.probes->results()[1].passed_us);
  CHECK(run_until(scene.loop, [&] { return scene.changes > 0; }));
}

}  // namespace
}  // namespace vigil::guest::readiness
