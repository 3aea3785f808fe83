#include "guest/signin/machine.hpp"

#include <catch2/catch_test_macros.hpp>

#include <map>

namespace vigil::guest::signin {
namespace {

using namespace std::chrono_literals;
using protocol::CauseCode;
using vigil::signin::Provider;

constexpr const char* local_url = "https://claude.com/cai/oauth/authorize?redirect_uri=http%3A%2F%2Flocalhost%3A35343%2Fcallback&state=x";

/// A sign-in with a clock of its own: timers pass when the test says so.
class Story {
public:
  explicit Story(Provider provider = Provider::codex) { state.provider = &vigil::signin::provider_row(provider); }

  Story& then(const Event& event) {
    for (const auto& effect : reduce(state, event)) apply(effect);
    return *this;
  }
  /// Time passes: what was armed within it expires, in its order.
  Story& pass(std::chrono::milliseconds time) {
    const auto until = now + time;
    for (;;) {
      auto next = armed.end();
      for (auto each = armed.begin(); each != armed.end(); ++each)
        if (each->second <= until && (next == armed.end() || each->second < next->second)) next = each;
      if (next == armed.end()) break;
      now = next->second;
      const auto timer = next->first;
      armed.erase(next);
      then(Expired{timer});
    }
    now = until;
    return *this;
  }
  CauseCode cause() const { return steps.empty() || !steps.back().cause ? CauseCode::unknown : steps.back().cause->code; }
  std::vector<Step> order() const {
    std::vector<Step> names;
    for (const auto& step : steps) names.push_back(step.step);
    return names;
  }

  State state;
  std::chrono::milliseconds now{0};
  std::map<Timer, std::chrono::milliseconds> armed;
  std::vector<TellStep> steps;
  std::vector<std::string> opened;
  std::vector<std::uint16_t> ports;
  int looks = 0, finishes = 0;
  bool holds = false;

private:
  void apply(const Effect& effect) {
    if (const auto* step = std::get_if<TellStep>(&effect)) steps.push_back(*step);
    if (const auto* open = std::get_if<OpenBrowser>(&effect)) opened.push_back(open->url);
    if (const auto* arm = std::get_if<Arm>(&effect)) armed[arm->timer] = now + arm->after;
    if (const auto* disarm = std::get_if<Disarm>(&effect)) armed.erase(disarm->timer);
    if (const auto* watch = std::get_if<WatchCallback>(&effect)) ports.push_back(watch->port);
    if (std::holds_alternative<LookForCredential>(effect)) ++looks;
    if (const auto* finish = std::get_if<Finish>(&effect)) ++finishes, holds = finish->holds_credential, armed.clear();
  }
};

Story waiting() {
  Story story;
  story.then(CliStarted{"1"}).then(UrlSeen{local_url, UrlSource::browser}).then(BrowserEnded{});
  return story;
}

vigil::signin::CredentialProblem lacks(const char* field) {
  vigil::signin::CredentialProblem problem;
  problem.fault = vigil::signin::CredentialFault::missing_fields;
  problem.missing = {field};
  return problem;
}

TEST_CASE("sign-in: the course of a good one", "[guest][signin]") {
  auto story = waiting();
  story.pass(60s)
      .then(CallbackSeen{"a connection to its port"})
      .then(CredentialFits{{"codex/1", 7, "ab"}})
      .then(CliExited{protocol::ExitCode{0}});
  CHECK(story.order() == std::vector<Step>{Step::cli_started, Step::url_found, Step::browser_open, Step::waiting_for_user,
                                           Step::callback_seen, Step::credential_found});
  CHECK(story.steps.back().credential == protocol::SigninCredential{"codex/1", "ab", 7});
  CHECK(story.opened == std::vector<std::string>{local_url});
  CHECK(story.ports == std::vector<std::uint16_t>{1455});
  CHECK(story.finishes == 1);
  CHECK(story.holds);
}

TEST_CASE("sign-in: the address that is meant for a browser is preferred to the one on the screen", "[guest][signin]") {
  Story story(Provider::claude_code);
  story.then(CliStarted{})
      .then(UrlSeen{"https://claude.ai/oauth/authorize?z", UrlSource::screen})
      .pass(100ms)
      .then(UrlSeen{local_url, UrlSource::browser})
      .pass(1s);
  CHECK(story.steps.back().url == local_url);
  CHECK(story.opened == std::vector<std::string>{local_url});
  CHECK(story.ports == std::vector<std::uint16_t>{35343});
}

TEST_CASE("sign-in: one address on the screen is drawn to its end before it is taken, and shown within a second", "[guest][signin]") {
  Story story;
  story.then(CliStarted{})
      .then(UrlSeen{"https://a.example/?st", UrlSource::screen})
      .pass(50ms)
      .then(UrlSeen{"https://a.example/?state=x", UrlSource::screen})
      .pass(900ms);
  CHECK(story.steps.back().url == "https://a.example/?state=x");
  story.then(UrlSeen{local_url, UrlSource::browser});   // late: opened too, reported once
  CHECK(story.opened.size() == 2);
  CHECK(story.order() == std::vector<Step>{Step::cli_started, Step::url_found});
}

TEST_CASE("sign-in: without a browser the user is waited for all the same", "[guest][signin]") {
  Story story;
  story.then(CliStarted{}).then(UrlSeen{local_url, UrlSource::browser}).then(BrowserEnded{"this image has no desktop"});
  CHECK(story.order() == std::vector<Step>{Step::cli_started, Step::url_found, Step::waiting_for_user});
  CHECK(story.steps.back().detail == "no browser was opened: this image has no desktop");
}

TEST_CASE("sign-in: each way to fail has its cause, and the first one stays", "[guest][signin]") {
  Story silent;
  silent.then(CliStarted{}).pass(20s);
  CHECK(silent.cause() == CauseCode::signin_url_not_found);

  auto exited = waiting();
  exited.then(CliExited{protocol::ExitCode{3}});
  CHECK(exited.finishes == 0);   // what it wrote last may be the credential
  exited.pass(500ms);
  CHECK(exited.cause() == CauseCode::signin_cli_exited);
  CHECK(exited.steps.back().cause->evidence == std::vector<std::string>{"Codex ended with code 3"});

  auto content = waiting();
  content.then(CliExited{protocol::ExitCode{0}}).pass(1s);
  CHECK(content.finishes == 0);   // another process may still write it
  content.pass(1s);
  CHECK(content.cause() == CauseCode::signin_cli_exited);

  auto late = waiting();
  late.pass(900s);
  CHECK(late.cause() == CauseCode::signin_timed_out);
  CHECK(late.steps.back().cause->evidence == std::vector<std::string>{"the last step was waiting_for_user"});

  auto cancelled = waiting();
  cancelled.then(Cancelled{"the host has closed its stream"}).then(CredentialFits{}).then(CliExited{protocol::ExitCode{0}}).pass(1h);
  CHECK(cancelled.cause() == CauseCode::signin_cancelled);
  CHECK(cancelled.finishes == 1);
  CHECK_FALSE(cancelled.holds);
}

TEST_CASE("sign-in: a CLI that ends when it has written the credential is a good one", "[guest][signin]") {
  auto story = waiting();
  story.then(CliExited{protocol::ExitCode{0}}).pass(200ms).then(CredentialFits{{"codex/1", 7, "ab"}}).pass(1h);
  CHECK(story.order().back() == Step::credential_found);
  CHECK(story.looks == 1);
}

TEST_CASE("sign-in: a file that does not fit may be written anew; if it stays, its fields are the cause", "[guest][signin]") {
  auto mended = waiting();
  mended.then(CredentialUnfit{lacks("tokens")}).pass(1s).then(CredentialFits{{"codex/1", 7, "ab"}});
  CHECK(mended.order().back() == Step::credential_found);

  auto stays = waiting();
  stays.then(CredentialUnfit{lacks("tokens")}).pass(2s).then(CredentialUnfit{lacks("tokens.id_token")}).pass(2s);
  CHECK(stays.cause() == CauseCode::signin_credential_unknown_shape);
  CHECK(protocol::field_text(*stays.steps.back().cause, "fields") == "tokens.id_token");
}

TEST_CASE("sign-in: a credential that comes before an address was seen ends it well", "[guest][signin]") {
  Story story;
  story.then(CliStarted{}).then(CredentialFits{{"codex/1", 7, "ab"}}).pass(1h);
  CHECK(story.order() == std::vector<Step>{Step::cli_started, Step::credential_found});
}

TEST_CASE("sign-in machine: the screens that were answered are in the next step, each once", "[guest][signin]") {
  Story story(Provider::gemini_cli);
  const auto& answers = story.state.provider->answers;
  story.then(CliStarted{"0.61.0"}).then(ScreenAnswered{answers[0].name}).then(ScreenAnswered{answers[1].name});
  const std::string url = "https://accounts.google.com/o/oauth2/v2/auth?client_id=a&response_type=code&redirect_uri=b&state=c";
  story.then(UrlSeen{url, UrlSource::browser}).then(BrowserEnded{});
  CHECK(story.steps.at(0).detail.empty());
  CHECK(
      story.steps.at(1).detail ==
      "by the browser that the CLI asked for; screen answered: how to authenticate: sign in with Google; screen answered: consent to open a browser");
  for (std::size_t later = 2; later < story.steps.size(); ++later) CHECK(story.steps[later].detail.find("answered") == std::string::npos);
}

TEST_CASE("sign-in machine: a version that is not known is tried, and what differs is told", "[guest][signin]") {
  Story story(Provider::gemini_cli);
  story.then(CliStarted{"9.9.9"}).then(ScreenAnswered{story.state.provider->answers[1].name});
  CHECK(story.steps.at(0).detail == "version 9.9.9 is not known, only 0.61.0: it is tried");
  SECTION("with the address") {
    story.then(UrlSeen{"https://accounts.google.com/o/oauth2/v2/auth?x", UrlSource::browser});
    CHECK(
        story.steps.at(1).detail ==
        "by the browser that the CLI asked for; unlike 0.61.0: screen not met: how to authenticate: sign in with Google; screen answered: consent to open a browser");
  }
  SECTION("in the failure") {
    story.then(AddressDiffers{"accounts.google.com without state"}).then(AddressDiffers{"accounts.google.com without state"}).pass(60s);
    REQUIRE(story.cause() == CauseCode::signin_url_not_found);
    CHECK(
        story.steps.back().cause->evidence.at(0) ==
        "version 9.9.9 is not known; unlike 0.61.0: screen not met: how to authenticate: sign in with Google; address of another form: accounts.google.com without state; no address of a known form");
  }
  SECTION("nothing") {
    Story same;
    same.then(CliStarted{""}).then(UrlSeen{local_url, UrlSource::browser});
    CHECK(same.steps.at(0).detail == "its version is not known, only 0.171.0: it is tried");
    CHECK(same.steps.at(1).detail ==
          "by the browser that the CLI asked for; unlike 0.171.0: nothing, its screens and its address are as known");
  }
}

}  // namespace
}  // namespace vigil::guest::signin
