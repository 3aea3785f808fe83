// The course of one sign-in, as a pure function: state and event give the next state and what is to be done.
//
// Shape:  no I/O, no clock: time comes as Expired events of timers that effects have armed. Steps are reported in their order, each at most once, with the screens that were answered since the
//         one before; `finished` is final, whatever comes. A version that is not known is tried: what differs from the known ones is in url_found or in the failure.
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
  std::string version;  // empty: the CLI's package does not tell it
};
struct ScreenAnswered {
  std::string_view name;  // of the table
};
/// An address that looks like a sign-in's and is none of the known forms.
struct AddressDiffers {
  std::string how;
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
using Event = std::variant<CliStarted, ScreenAnswered, AddressDiffers, UrlSeen, BrowserEnded, CallbackSeen, CredentialFits, CredentialUnfit,
                           CliExited, Cancelled, Expired>;

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
  std::vector<std::string_view> answered{};  // screens, in their order; the first answers_told of them are in a report
  std::size_t answers_told = 0;
  std::string unknown_version{};  // "version 9.9.9", when no transcript of it is kept
  std::vector<std::string> differences{};  // of addresses
  std::string screen_url{}, browser_url{}, opened_url{};
  std::optional<protocol::ExitStatus> exit{};
  std::optional<vigil::signin::CredentialProblem> unfit{};
  bool finished = false;
};

/// Changes `state` and tells what follows from `event`.
std::vector<Effect> reduce(State& state, const Event& event);

}  // namespace vigil::guest::signin
