#include "guest/signin/credential_file.hpp"
#include "guest/signin/callback_watch.hpp"
#include "guest/signin/installed_version.hpp"

#include <catch2/catch_test_macros.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

namespace vigil::guest::signin {
namespace {

namespace fs = std::filesystem;

class Home {
public:
  Home() {
    char name[] = "/tmp/vigil-home-XXXXXX";
    path = ::mkdtemp(name);
    fs::create_directory(path + "/.codex");
  }
  ~Home() { fs::remove_all(path); }
  void write(const std::string& name, const std::string& text) const { std::ofstream(path + "/" + name) << text; }
  Result<CredentialFile> read(std::size_t max = 100) const { return read_credential(path, ".codex/auth.json", ::geteuid(), max); }

  std::string path;
};

TEST_CASE("credential file: read whole, and one byte more than may be", "[guest][signin]") {
  const Home home;
  CHECK(home.read().error().code() == Errc::not_found);
  home.write(".codex/auth.json", "{}");
  CHECK(home.read()->bytes == "{}");
  home.write(".codex/auth.json", std::string(1000, 'x'));
  CHECK(home.read()->bytes.size() == 101);
}

TEST_CASE("credential file: one that changes while it is read is not taken", "[guest][signin]") {
  const Home home;
  constexpr std::size_t most = 1 << 20;
  home.write(".codex/auth.json", std::string(most / 2, 'x'));
  std::atomic<bool> is_over{false};
  std::thread writer([&] {
    std::ofstream file(home.path + "/.codex/auth.json", std::ios::app);
    while (!is_over && file.tellp() < static_cast<std::streamoff>(most - 100)) file << 'y' << std::flush;
  });
  int changed = 0, whole = 0;
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (changed == 0 && std::chrono::steady_clock::now() < until) {
    const auto read = home.read(most);
    if (!read) {
      CHECK(read.error().code() == Errc::conflict);
      ++changed;
    } else {
      CHECK(read->bytes.size() == read->mark.size);
      ++whole;
    }
  }
  is_over = true;
  writer.join();
  CAPTURE(whole);
  CHECK(changed > 0);
  CHECK(home.read(most)->bytes.size() == fs::file_size(home.path + "/.codex/auth.json"));
}

TEST_CASE("credential file: neither links, nor other kinds, nor other people's are read", "[guest][signin]") {
  const Home home;
  home.write("elsewhere", "SECRET");
  fs::create_symlink(home.path + "/elsewhere", home.path + "/.codex/auth.json");
  CHECK(home.read().error().code() == Errc::denied);
  fs::remove(home.path + "/.codex/auth.json");
  fs::create_hard_link(home.path + "/elsewhere", home.path + "/.codex/auth.json");
  CHECK(home.read().error().message() == "~/.codex/auth.json has 2 names");
  fs::remove(home.path + "/.codex/auth.json");
  REQUIRE(::mkfifo((home.path + "/.codex/auth.json").c_str(), 0600) == 0);
  CHECK(home.read().error().message() == "~/.codex/auth.json is not a regular file");
  fs::remove(home.path + "/.codex/auth.json");
  home.write(".codex/auth.json", "{}");
  CHECK(read_credential(home.path, ".codex/auth.json", ::geteuid() + 1, 100).error().code() == Errc::denied);
  fs::remove_all(home.path + "/.codex");
  fs::create_directory(home.path + "/other");
  home.write("other/auth.json", "{}");
  fs::create_directory_symlink(home.path + "/other", home.path + "/.codex");
  CHECK(home.read().error().code() == Errc::denied);
}

TEST_CASE("credential file: only the marked one is removed", "[guest][signin]") {
  const Home home;
  home.write(".codex/auth.json", "{}");
  const auto mark = home.read()->mark;
  fs::remove(home.path + "/.codex/auth.json");
  home.write("new", "{\"newer\":1}");
  fs::rename(home.path + "/new", home.path + "/.codex/auth.json");
  CHECK(remove_credential(home.path, ".codex/auth.json", ::geteuid(), mark).error().code() == Errc::conflict);
  REQUIRE(remove_credential(home.path, ".codex/auth.json", ::geteuid(), home.read()->mark).has_value());
  CHECK_FALSE(fs::exists(home.path + "/.codex/auth.json"));
}

TEST_CASE("credential file: what lies beside it is named, bounded", "[guest][signin]") {
  const Home home;
  CHECK(names_beside(home.path, ".codex/auth.json", 4).empty());
  for (int i = 0; i < 9; ++i) home.write(".codex/file" + std::to_string(i), "");
  CHECK(names_beside(home.path, ".codex/auth.json", 4).size() == 4);
  CHECK(names_beside(home.path, ".gemini/oauth_creds.json", 4).empty());
}

TEST_CASE("installed version: of the npm package that the program lies in", "[guest][signin]") {
  const Home home;
  fs::create_directories(home.path + "/package/bin");
  home.write("package/package.json", R"({"name":"x","version":"0.171.0-linux"})");
  home.write("package/bin/tool.js", "");
  fs::create_symlink("package/bin/tool.js", home.path + "/tool");
  CHECK(installed_version(home.path + "/tool") == "0.171.0-linux");
  home.write("package/package.json", "{\"version\":\"1.0 $(reboot)\"}");
  CHECK(installed_version(home.path + "/tool").empty());
  home.write("package/package.json", "{");
  CHECK(installed_version(home.path + "/tool").empty());
  CHECK(installed_version("/no/such/program").empty());
}

TEST_CASE("callback: connections to the port count, its listener and others do not", "[guest][signin]") {
  const std::string head = "  sl  local_address rem_address   st tx_queue rx_queue\n";
  const auto row = [](const char* local, const char* remote, const char* state) {
    return "   0: " + std::string(local) + " " + remote + " " + state + " 00000000:00000000\n";
  };
  CHECK(callers_of(head + row("0100007F:05AF", "00000000:0000", "0A"), 1455).empty());
  CHECK(callers_of(head + row("0100007F:05AF", "0100007F:C350", "02"), 1455).empty());
  CHECK(callers_of(head + row("0100007F:05B0", "0100007F:C350", "01"), 1455).empty());
  CHECK(callers_of(head + row("0100007F:C350", "0100007F:05AF", "01"), 1455).empty());   // the browser's end
  CHECK(callers_of(head + row("0100007F:05AF", "0100007F:C350", "06") + row("0100007F:05AF", "0100007F:C351", "01"), 1455).size() == 2);
  CHECK(callers_of("garbage\n\n:\n" + std::string(10, ' '), 1455).empty());
}

}  // namespace
}  // namespace vigil::guest::signin
