#include "guest/evidence/stale_lock.hpp"

#include "shared/base/unique_fd.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <catch2/catch_test_macros.hpp>

#include <cstring>
#include <filesystem>
#include <fstream>

namespace vigil::guest::evidence {
namespace {

namespace fs = std::filesystem;

struct Folder {
  fs::path path = fs::temp_directory_path() / ("stale-lock-" + std::to_string(::getpid()));
  Folder() { fs::create_directories(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { fs::remove_all(path); }
  std::string make(const std::string& name, const std::string& text) const {
    std::ofstream(path / name) << text;
    return (path / name).string();
  }
};

UniqueFd bound_socket(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

std::string complaint_of_x(const std::string& path) {
  return "\tIf this server is no longer running, remove " + path + "\n\tand start again.\n";
}

}  // namespace

TEST_CASE("stale lock: a lock file of a process that has gone", "[guest][evidence]") {
  const Folder folder;
  const std::string gone = folder.make("gone", "   4194999\n"), living = folder.make("living", std::to_string(::getpid()) + "\n"),
                    silent = folder.make("silent", "locked\n");
  CHECK(find_stale_lock(complaint_of_x(gone)) == gone);
  CHECK_FALSE(find_stale_lock(complaint_of_x(living)));
  CHECK_FALSE(find_stale_lock(complaint_of_x(silent)));
  CHECK_FALSE(find_stale_lock(complaint_of_x(folder.path / "not-there")));
  CHECK_FALSE(find_stale_lock("all is well\n"));
}

TEST_CASE("stale lock: a socket file that nobody is bound to any more", "[guest][evidence]") {
  const Folder folder;
  const std::string path = (folder.path / "s").string();
  const std::string complaint = "socat[9] E bind(5, {AF=1 \"" + path + "\"}, 8): Address already in use\n";
  UniqueFd owner = bound_socket(path);
  CHECK_FALSE(find_stale_lock(complaint));
  owner.reset();
  CHECK(find_stale_lock(complaint) == path);
  CHECK_FALSE(find_stale_lock("bind(5, {AF=2 0.0.0.0:80}, 16): Address already in use\n"));
}

TEST_CASE("stale lock: of a table of sockets that is too long to be read nothing is said", "[guest][evidence]") {
  const Folder folder;
  const std::string path = (folder.path / "s").string();
  const std::string complaint = "socat[9] E bind(5, {AF=1 \"" + path + "\"}, 8): Address already in use\n";
  bound_socket(path).reset();
  fs::create_directories(folder.path / "net");
  const std::string line = "0000000000000000: 00000002 00000000 00010000 0001 01 40000 /run/another\n";
  std::string table = line;
  folder.make("net/unix", table);
  CHECK(find_stale_lock(complaint, folder.path.string()) == path);
  while (table.size() <= (1U << 20)) table += line;
  folder.make("net/unix", table + "0000000000000000: 00000002 00000000 00010000 0001 01 40001 " + path + "\n");
  CHECK_FALSE(find_stale_lock(complaint, folder.path.string()));
}

}  // namespace vigil::guest::evidence
