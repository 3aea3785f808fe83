// Listeners that somebody else opened: taken as they are, or refused by number and name.
#include "host/systemd/passed_sockets.hpp"
#include "host/async/unix_listener.hpp"
#include "tests/unit/host/result_text.hpp"
#include "tests/unit/host/unix_client.hpp"

#include <catch2/catch_test_macros.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

namespace vigil::systemd {

namespace {

constexpr int place = 150;   // where these tests put the descriptors: 3 is taken in a test program

void pass(std::vector<int> descriptors, const std::string& names, pid_t pid = ::getpid()) {
  for (std::size_t each = 0; each < descriptors.size(); ++each) REQUIRE(::dup2(descriptors[each], place + static_cast<int>(each)) >= 0);
  ::setenv("LISTEN_PID", std::to_string(pid).c_str(), 1);
  ::setenv("LISTEN_FDS", std::to_string(descriptors.size()).c_str(), 1);
  ::setenv("LISTEN_FDNAMES", names.c_str(), 1);
}

}  // namespace

TEST_CASE("passed sockets: each has its name and path, is close-on-exec and does not block", "[host][systemd]") {
  const test::TemporaryDirectory folder;
  const auto api = (folder.path() / "api.sock").string(), ports = (folder.path() / "ports.sock").string();
  const auto first = async::listen_unix(api, 0600, 8), second = async::listen_unix(ports, 0600, 8);
  pass({first->get(), second->get()}, "api:ports");
  const auto passed = take_passed_sockets(place);
  REQUIRE(passed);
  REQUIRE(passed->size() == 2);
  CHECK(passed->at(0).name == "api");
  CHECK(passed->at(0).path == api);
  CHECK(passed->at(1).name == "ports");
  CHECK(passed->at(1).path == ports);
  CHECK((::fcntl(place, F_GETFD) & FD_CLOEXEC) != 0);
  CHECK((::fcntl(place, F_GETFL) & O_NONBLOCK) != 0);
  CHECK(std::getenv("LISTEN_FDS") == nullptr);
  CHECK(take_passed_sockets(place)->empty());   // once
}

TEST_CASE("passed sockets: what was meant for another process is not touched", "[host][systemd]") {
  const test::TemporaryDirectory folder;
  const auto listener = async::listen_unix((folder.path() / "s").string(), 0600, 8);
  pass({listener->get()}, "api", 1);
  CHECK(take_passed_sockets(place)->empty());
  CHECK(::fcntl(place, F_GETFD) >= 0);
  ::close(place);
}

TEST_CASE("passed sockets: what is no listener is refused by number and name", "[host][systemd]") {
  const UniqueFd file(::open("/dev/null", O_RDONLY | O_CLOEXEC)), silent(::socket(AF_UNIX, SOCK_STREAM, 0)),
      inet(::socket(AF_INET, SOCK_STREAM, 0));
  for (const int wrong : {file.get(), silent.get(), inet.get()}) {
    pass({wrong}, "api");
    const auto refused = take_passed_sockets(place);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == Errc::invalid);
    CHECK(refused.error().message().find("150 (api)") != std::string::npos);
  }
  ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
  ::setenv("LISTEN_FDS", "4000", 1);
  CHECK(take_passed_sockets(place).error().code() == Errc::limit);
}

}  // namespace vigil::systemd
