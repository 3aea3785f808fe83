// Sign-ins through their streams, with programs on real terminals. The programs here are scripts that do what a CLI does at its edge: show an address, ask for a browser, write a file.
#include "guest/signin/open_url.hpp"
#include "guest/signin/sign_ins.hpp"
#include "shared/protocol/codec.hpp"
#include "tests/unit/guest/streams/stage.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace vigil::guest::signin {

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using streams::HostStream;
using vigil::streams::Channel;
using vigil::streams::Done;
using vigil::streams::Problem;
using vigil::streams::SigninForgetOpening;
using vigil::streams::SigninRunOpening;
using vigil::streams::SigninTakeOpening;

const std::string shown_url =
    "https://auth.openai.com/oauth/authorize?response_type=code&client_id=app&redirect_uri=http%3A%2F%2Flocalhost%3A1455%2Fauth%2Fcallback&code_challenge=abc&state=xyz";
const std::string credential =
    R"({"OPENAI_API_KEY":null,"tokens":{"id_token":"SECRET-1","access_token":"SECRET-2","refresh_token":"SECRET-3"},"last_refresh":"2026-01-01"})";

class Reports final : public ReportSink {
public:
  Seq submit(protocol::ReportBody body) override {
    all.push_back(std::get<protocol::SigninReport>(body));
    text += protocol::encode_body(body);
    return all.size();
  }
  bool has(Step step) const {
    for (const auto& each : all)
      if (each.step == step) return true;
    return false;
  }
  const protocol::SigninReport& last() const { return all.back(); }

  std::vector<protocol::SigninReport> all;
  std::string text;
};

/// The account is root's, with a home of the scene's own: nothing of whoever runs this is touched.
class Scene : public streams::Stage {
public:
  explicit Scene(std::chrono::milliseconds keep_held = 1h) {
    folder = path.substr(0, path.rfind('/'));
    fs::create_directories(folder + "/bin");
    home = folder + "/home";
    file = home + "/.codex/auth.json";
    fs::create_directories(home + "/.codex");
    sessions.host().env["PATH"] = folder + "/bin:/usr/bin:/bin";
    sign_ins.emplace(SignInHost{sessions.host(), reports, folder + "/doors", "/bin/true", 1, home}, keep_held);
    const auto others = streams::make_opener(loop, sessions, workers, logs);
    const auto accept = [](int fd) { return UniqueFd(::accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)); };
    ::unlink(path.c_str());
    UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener.get(), 64) == 0);
    server.emplace(loop, std::move(listener), accept, sign_ins->opener(others));
  }
  ~Scene() {
    server.reset();
    sign_ins.reset();
    fs::remove_all(home);
    fs::remove_all(folder + "/bin");
    fs::remove_all(folder + "/doors");
    fs::remove(folder + "/package.json");
  }

  void cli(const std::string& script, const std::string& name = "codex") {
    std::ofstream(folder + "/bin/" + name) << "#!/bin/sh\n" << script << "\n";
    fs::permissions(folder + "/bin/" + name, fs::perms::owner_all);
  }
  std::unique_ptr<HostStream> run(const std::string& session = "ss-1") {
    return open(SigninRunOpening{session, "codex", "root", 60, {40, 120}});
  }
  std::string write_credential() const {
    return "umask 077; cat > " + file + ".new <<'END'\n" + credential + "\nEND\nmv " + file + ".new " + file + "\n";
  }

  Reports reports;
  std::optional<SignIns> sign_ins;
  std::string folder, home, file;
};

TEST_CASE("sign-in stream: from the address to the credential, which goes once it is committed", "[guest][signin]") {
  Scene scene;
  scene.cli("echo 'Go to:'; echo '" + shown_url + "'; read key; " + scene.write_credential() + " echo 'Successfully logged in'; sleep 60");
  const auto run = scene.run();
  scene.accepted(*run);
  scene.until([&] { return scene.reports.has(Step::waiting_for_user); });
  CHECK(scene.reports.all.at(1).private_url == shown_url);
  CHECK(scene.open(SigninTakeOpening{"ss-1"})->answer.has_value() == false);
  const auto early = scene.open(SigninTakeOpening{"ss-1"});
  scene.until([&] { return early->answer.has_value(); });
  CHECK(early->answer->error().code() == Errc::conflict);
  run->send(Channel::data, "\n");
  scene.until([&] { return run->is_over(); });
  CHECK(run->last<Done>() == Done{credential.size() + 1});
  CHECK(run->got[Channel::out].find("Go to:") != std::string::npos);
  const auto hash = scene.reports.last().credential->sha256;
  CHECK(scene.reports.last().credential->schema == "codex/1");
  for (int times = 0; times < 2; ++times) {
    const auto take = scene.open(SigninTakeOpening{"ss-1"});
    scene.until([&] { return take->is_over(); });
    CHECK(take->got[Channel::data] == credential + "\n");
  }
  const auto wrong = scene.open(SigninForgetOpening{"ss-1", std::string(64, 'a')});
  scene.until([&] { return wrong->answer.has_value(); });
  CHECK(wrong->answer->error().code() == Errc::conflict);
  CHECK(fs::exists(scene.file));
  const auto forget = scene.open(SigninForgetOpening{"ss-1", hash});
  scene.accepted(*forget);
  CHECK_FALSE(fs::exists(scene.file));
  const auto again = scene.open(SigninTakeOpening{"ss-1"});
  scene.until([&] { return again->answer.has_value(); });
  CHECK(again->answer->error().code() == Errc::not_found);
  CHECK(scene.reports.text.find("SECRET") == std::string::npos);
}

TEST_CASE("sign-in stream: a CLI that has written its credential may answer its user's browser before it ends", "[guest][signin]") {
  Scene scene;
  const auto answered = scene.home + "/answered";
  scene.cli("echo '" + shown_url + "'; " + scene.write_credential() + " sleep 1; echo done >" + answered);
  const auto run = scene.run();
  scene.accepted(*run);
  scene.until([&] { return run->is_over(); });
  REQUIRE(run->last<Done>() == Done{credential.size() + 1});
  scene.until([&] { return fs::exists(answered); });
  CHECK(fs::exists(answered));
}

TEST_CASE("sign-in stream: the address that is handed to the browser's stand-in is the one", "[guest][signin]") {
  Scene scene;
  // Speaks to the socket as the stand-in does: this test's program is not vigil-guest.
  scene.cli(
      "python3 -c 'import os,socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(os.environ[\"VIGIL_OPEN_URL\"]); s.sendall((sys.argv[1]+chr(10)).encode()); s.recv(3)' '" +
      shown_url + "'; sleep 60");
  const auto run = scene.run();
  scene.until([&] { return scene.reports.has(Step::url_found); });
  CHECK(scene.reports.all.at(1).private_url == shown_url);
  CHECK(scene.reports.all.at(1).detail.starts_with("by the browser that the CLI asked for; "));
  run->close();
  scene.until([&] { return scene.reports.has(Step::failed); });
  CHECK(scene.reports.last().cause->code == protocol::CauseCode::signin_cancelled);
}

TEST_CASE("sign-in stream: a CLI that ends early is a cause, with its last screen redacted", "[guest][signin]") {
  Scene scene;
  scene.cli("echo '" + shown_url + "'; sleep 0.7; echo 'Error: login server said no'; exit 3");
  const auto run = scene.run();
  scene.until([&] { return run->is_over(); });
  CHECK(run->last<Problem>().has_value());
  const auto& failed = scene.reports.last();
  CHECK(failed.cause->code == protocol::CauseCode::signin_cli_exited);
  CHECK(failed.cause->evidence.at(0) == "Codex ended with code 3");
  CHECK(failed.screen.find("Error: login server said no") != std::string::npos);
  CHECK(failed.screen.find("state=xyz") == std::string::npos);
  CHECK_FALSE(failed.cause->evidence.at(1).empty());
}

TEST_CASE("sign-in stream: a credential of another shape, and one behind a link", "[guest][signin]") {
  Scene scene;
  SECTION("of another shape") {
    scene.cli("echo '" + shown_url + "'; echo '{\"tokens\":{}}' > " + scene.file + "; sleep 60");
    const auto run = scene.run();
    scene.until([&] { return run->is_over(); });
    CHECK(scene.reports.last().cause->code == protocol::CauseCode::signin_credential_unknown_shape);
    CHECK(protocol::field_text(*scene.reports.last().cause, "fields") ==
          "tokens.id_token tokens.access_token tokens.refresh_token last_refresh");
  }
  SECTION("behind a link") {
    std::ofstream(scene.folder + "/bin/elsewhere") << credential;
    scene.cli("echo '" + shown_url + "'; ln -s " + scene.folder + "/bin/elsewhere " + scene.file + "; sleep 0.5; exit 0");
    const auto run = scene.run();
    scene.until([&] { return run->is_over(); });
    CHECK(scene.reports.last().cause->code == protocol::CauseCode::signin_cli_exited);
    CHECK(scene.reports.last().cause->evidence.at(1) == "not read: ~/.codex/auth.json is, or is reached by, a symbolic link");
  }
}

TEST_CASE("sign-in stream: a credential that nobody takes is forgotten after its time, file and all", "[guest][signin]") {
  Scene scene(200ms);
  scene.cli("echo '" + shown_url + "'; " + scene.write_credential() + " sleep 60");
  const auto run = scene.run();
  scene.until([&] { return run->is_over(); });
  REQUIRE(run->last<Done>().has_value());
  scene.until([&] { return scene.sign_ins->is_idle() || !fs::exists(scene.file); });
  CHECK_FALSE(fs::exists(scene.file));
  const auto take = scene.open(SigninTakeOpening{"ss-1"});
  scene.until([&] { return take->answer.has_value(); });
  CHECK_FALSE(take->answer->has_value());
}

TEST_CASE("sign-in stream: a file that was written anew since is left when its credential is forgotten", "[guest][signin]") {
  Scene scene(500ms);
  scene.cli("echo '" + shown_url + "'; " + scene.write_credential() + " sleep 60");
  const auto run = scene.run();
  scene.until([&] { return run->is_over(); });
  std::ofstream(scene.file) << "another one's";
  const auto is_forgotten = [&] {
    const auto take = scene.open(SigninTakeOpening{"ss-1"});
    scene.until([&] { return take->answer.has_value(); });
    return !take->answer->has_value();
  };
  scene.until(is_forgotten);
  CHECK(fs::exists(scene.file));
}

const std::string google_url =
    "https://accounts.google.com/o/oauth2/v2/auth?client_id=a&response_type=code&redirect_uri=http%3A%2F%2Flocalhost%3A9%2Foauth2callback&state=xyz";

TEST_CASE("sign-in stream: the host hears which screens were answered", "[guest][signin]") {
  Scene scene;
  scene.cli(
      "stty -echo; printf '\\033[2JHow would you like to authenticate for this project?\\n \xe2\x97\x8f 1. Sign in with Google\\n'; read key; "
      "printf '\\033[2J\\033[HOpening authentication page in your browser\\nDo you want to continue?\\n \xe2\x97\x8f 1. Yes\\n'; read key; "
      "printf '\\033[2J\\033[H'; echo '" +
          google_url + "'; sleep 60",
      "gemini");
  const auto run = scene.open(SigninRunOpening{"ss-1", "gemini_cli", "root", 60, {40, 160}});
  scene.accepted(*run);
  scene.until([&] { return scene.reports.has(Step::url_found); });
  const auto& found = scene.reports.all.at(1);
  CHECK(found.step == Step::url_found);
  CHECK(found.detail.find("screen answered: how to authenticate: sign in with Google; screen answered: consent to open a browser") !=
        std::string::npos);
}

TEST_CASE("sign-in stream: a version that nobody knows is tried, and how it differs is told", "[guest][signin]") {
  Scene scene;
  std::ofstream(scene.folder + "/package.json") << R"({"name":"codex","version":"9.9.9"})";
  SECTION("it shows a known address") {
    scene.cli("echo '" + shown_url + "'; sleep 60");
    const auto run = scene.run();
    scene.until([&] { return scene.reports.has(Step::url_found); });
    CHECK(scene.reports.all.at(0).cli_version == "9.9.9");
    CHECK(scene.reports.all.at(0).detail == "version 9.9.9 is not known, only 0.171.0: it is tried");
    CHECK(scene.reports.all.at(1).detail == "on the screen; unlike 0.171.0: nothing, its screens and its address are as known");
  }
  SECTION("it shows another one, and ends") {
    scene.cli("echo 'https://auth.openai.com/oauth/authorize?client_id=app&redirect_uri=x&response_type=code&state=SECRET'; exit 1");
    const auto run = scene.run();
    scene.until([&] { return run->is_over(); });
    const auto& evidence = scene.reports.last().cause->evidence;
    CHECK(std::find(evidence.begin(), evidence.end(), "version 9.9.9 is not known; unlike 0.171.0: no address of a known form") !=
          evidence.end());
    CHECK(std::find(evidence.begin(), evidence.end(), "on its screen an address of another form: auth.openai.com without code_challenge") !=
          evidence.end());
    CHECK(scene.reports.text.find("SECRET") == std::string::npos);
  }
}

TEST_CASE("sign-in stream: a file that was there before is not this sign-in's", "[guest][signin]") {
  Scene scene;
  std::ofstream(scene.file) << credential;
  scene.cli("echo '" + shown_url + "'; sleep 0.5; exit 0");
  const auto run = scene.run();
  scene.until([&] { return run->is_over(); });
  CHECK(scene.reports.last().cause->code == protocol::CauseCode::signin_cli_exited);
}

TEST_CASE("sign-in stream: what may not run is refused and leaves nothing behind", "[guest][signin]") {
  Scene scene;
  scene.cli("sleep 60");
  const auto refused = [&](const vigil::streams::Opening& opening) {
    const auto stream = scene.open(opening);
    scene.until([&] { return stream->answer.has_value(); });
    return stream->answer->error().code();
  };
  CHECK(refused(SigninRunOpening{"ss-1", "levitation", "root"}) == Errc::unsupported);
  CHECK(refused(SigninRunOpening{"ss-1", "codex", "nobody-of-that-name"}) == Errc::not_found);
  CHECK(refused(SigninRunOpening{"ss-1", "gemini_cli", "root"}) == Errc::not_found);  // no such program in this PATH
  CHECK(refused(SigninTakeOpening{"ss-1"}) == Errc::not_found);
  const auto run = scene.run();
  scene.accepted(*run);
  CHECK(refused(SigninRunOpening{"ss-1", "codex", "root"}) == Errc::conflict);
  CHECK(refused(SigninRunOpening{"ss-2", "codex", "root"}) == Errc::conflict);  // the same user and provider
  CHECK(refused(SigninForgetOpening{"ss-1", std::string(64, 'a')}) == Errc::not_found);
  run->close();
  scene.until([&] { return !fs::exists(scene.folder + "/doors/ss-1"); });
}

TEST_CASE("sign-in stream: the CLI's questions to its terminal are answered, floods are survived", "[guest][signin]") {
  Scene scene;
  scene.cli("stty raw -echo; printf '\\033[6n'; dd bs=1 count=6 2>/dev/null | od -c | head -1; stty sane; yes '" + std::string(200, 'x') +
            "' | head -c 400000; echo; echo '" + shown_url + "'; sleep 60");
  const auto run = scene.run();
  run->stop_reading();  // a viewer that stands still holds nothing up
  scene.until([&] { return scene.reports.has(Step::url_found); });
  run->watch();
  scene.until(
      [&] { return run->last<vigil::streams::Lost>().has_value() || run->got[Channel::out].find("state=xyz") != std::string::npos; });
  CHECK(run->got[Channel::out].find("033   [   1   ;   1   R") != std::string::npos);
}

/// By hand: VIGIL_CLI_PATH=DIR guest_tests "[.cli]" runs the real CLI VIGIL_CLI (a provider's name), found in DIR, up to its address, and keeps what it wrote in VIGIL_CLI_OUT.
TEST_CASE("real CLI: up to its address", "[.cli]") {
  const char *const where = std::getenv("VIGIL_CLI_PATH"), *const which = std::getenv("VIGIL_CLI"),
                    *const out = std::getenv("VIGIL_CLI_OUT");
  REQUIRE(where != nullptr);
  REQUIRE(which != nullptr);
  Scene scene;
  scene.sessions.host().env["PATH"] = std::string(where) + ":/usr/bin:/bin";
  if (const char* const display = std::getenv("DISPLAY")) scene.sessions.host().env["DISPLAY"] = display;
  const auto run = scene.open(SigninRunOpening{"ss-1", which, "root", 600, {40, 120}});
  scene.accepted(*run);
  for (int tenths = 0; tenths < 3000 && !scene.reports.has(Step::waiting_for_user) && !run->is_over(); ++tenths) scene.loop.run_once(100ms);
  if (out != nullptr) std::ofstream(out) << run->got[Channel::out];
  for (const auto& each : scene.reports.all) UNSCOPED_INFO(protocol::encode_body(each));
  UNSCOPED_INFO(scene.reports.last().screen);
  CHECK(scene.reports.has(Step::waiting_for_user));
  run->close();
  scene.until([&] { return !fs::exists(scene.folder + "/doors/ss-1"); });
}

}  // namespace
}  // namespace vigil::guest::signin
