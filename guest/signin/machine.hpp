// The course of one sign-in, as a pure function: state and event give the next state and what is to be done.
//
// Shape:  no I/O, no clock: time comes as Expired events of timers that effects have armed. Steps are reported in their order, each at most once; `finished` is final, whatever comes.
// Source: CONTRACTS "Cause codes" signin.
#pragma once

#include "shared/protocol/report.hpp"
#include "shared/signin/credential.hpp"
#include "shared/signin/provider.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace vigil::guest::signin {

using Step = protocol::SigninReport::Step;

/// `settle` lets an address be drawn to its end, and the one that is meant for a browser come; `grace` lets a credential come that a CLI wrote last; `shape` lets a file that does not fit be written anew.
enum class Timer { settle, url, user, grace, shape };

struct Deadlines {
  std::chrono::milliseconds settle{400}, url{20'000}, user{900'000}, grace{1'500}, failed_grace{500}, shape{3'000};
};

struct CliStarted {
  std::string version, detail;
};
enum class UrlSource { screen, browser };
struct UrlSeen {
  std::string url;
  UrlSource source = UrlSource::screen;
};
struct BrowserEnded {
  std::string problem;
};  // empty: the page is open
struct CallbackSeen {
  std::string how;
};
struct CredentialFits {
  vigil::signin::CredentialFacts facts;
};
struct CredentialUnfit {
  vigil::signin::CredentialProblem problem;
};
struct CliExited {
  protocol::ExitStatus status;
};
struct Cancelled {
  std::string by;
};
struct Expired {
  Timer timer = Timer::settle;
};
using Event = std::variant<CliStarted, UrlSeen, BrowserEnded, CallbackSeen, CredentialFits, CredentialUnfit, CliExited, Cancelled, Expired>;

struct TellStep {
  Step step = Step::cli_started;
  std::string detail{}, url{}, version{};
  std::optional<protocol::SigninCredential> credential{};
  std::optional<protocol::Cause> cause{};
};
struct OpenBrowser {
  std::string url;
};
struct Arm {
  Timer timer = Timer::settle;
  std::chrono::milliseconds after{0};
};
struct Disarm {
  Timer timer = Timer::settle;
};
struct LookForCredential {};
struct WatchCallback {
  std::uint16_t port = 0;
};
struct Finish {
  bool holds_credential = false;
};  // the CLI is stopped; the last effect there is
using Effect = std::variant<TellStep, OpenBrowser, Arm, Disarm, LookForCredential, WatchCallback, Finish>;

struct State {
  const vigil::signin::ProviderRow* provider = nullptr;
  Deadlines deadlines{};
  std::vector<Step> reported{};
  std::string screen_url{}, browser_url{}, opened_url{};
  std::optional<protocol::ExitStatus> exit{};
  std::optional<vigil::signin::CredentialProblem> unfit{};
  bool finished = false;
};

/// Changes `state` and tells what follows from `event`.
std::vector<Effect> reduce(State& state, const Event& event);

}  // namespace vigil::guest::signin
