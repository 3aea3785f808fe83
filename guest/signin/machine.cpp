#include "guest/signin/machine.hpp"

#include "guest/signin/url_finder.hpp"
#include "shared/base/overloaded.hpp"

#include <algorithm>
#include <utility>

namespace vigil::guest::signin {

using protocol::CauseCode;

namespace {

constexpr std::size_t max_fields_bytes = 400, max_differences = 3;

class Course {
public:
  explicit Course(State& state) : state_(state) {}

  void on(const CliStarted& started) {
    const auto& known = state_.provider->known_versions;
    std::string detail;
    if (std::find(known.begin(), known.end(), started.version) == known.end()) {
      state_.unknown_version = started.version.empty() ? "its version" : "version " + started.version;
      detail = state_.unknown_version + " is not known, only " + known_versions() + ": it is tried";
    }
    report({Step::cli_started, detail, "", started.version, {}, {}});
    arm(Timer::url, state_.deadlines.url);
  }

  void on(const ScreenAnswered& answer) { state_.answered.push_back(answer.name); }

  void on(const AddressDiffers& address) {
    const auto& told = state_.differences;
    if (told.size() < max_differences && std::find(told.begin(), told.end(), address.how) == told.end())
      state_.differences.push_back(address.how);
  }

  void on(const UrlSeen& seen) {
    std::string& known = seen.source == UrlSource::browser ? state_.browser_url : state_.screen_url;
    const bool is_first = state_.browser_url.empty() && state_.screen_url.empty();
    known = seen.url;
    if (has_reported(Step::url_found)) return open_late();
    if (seen.source == UrlSource::browser) return use_url();   // handed over whole: nothing to wait for
    if (is_first) arm(Timer::settle, state_.deadlines.settle);
  }

  void on(const BrowserEnded& ended) {
    if (ended.problem.empty()) report({.step = Step::browser_open});
    report({.step = Step::waiting_for_user, .detail = ended.problem.empty() ? "" : "no browser was opened: " + ended.problem});
  }

  void on(const CallbackSeen& seen) {
    if (has_reported(Step::url_found)) report({.step = Step::callback_seen, .detail = seen.how});
    look();
  }

  void on(const CredentialFits& fits) {
    // A user who signs in by hand in the terminal may be done before anything was seen: a credential that fits is the end all the same.
    report(
        {.step = Step::credential_found, .credential = protocol::SigninCredential{fits.facts.schema, fits.facts.sha256, fits.facts.bytes}});
    finish(true);
  }

  void on(const CredentialUnfit& unfit) {
    const bool is_first = !state_.unfit;
    state_.unfit = unfit.problem;
    if (is_first) arm(Timer::shape, state_.deadlines.shape);
  }

  void on(const CliExited& exited) {
    state_.exit = exited.status;
    look();
    // What a CLI that gave up has written is there already; one that was content may have left the rest to another process.
    const bool is_content = exited.status == protocol::ExitStatus(protocol::ExitCode{0});
    arm(Timer::grace, is_content ? state_.deadlines.grace : state_.deadlines.failed_grace);
  }

  void on(const Cancelled& cancelled) { fail(protocol::make_cause(CauseCode::signin_cancelled, {}, evidence(cancelled.by))); }

  void on(const Expired& expired) {
    switch (expired.timer) {
      case Timer::settle: return has_reported(Step::url_found) ? void() : use_url();
      case Timer::url:
        if (!has_reported(Step::url_found)) fail(protocol::make_cause(CauseCode::signin_url_not_found, {}, evidence("")));
        return;
      case Timer::user:
        return state_.unfit ? fail_by_shape() : fail(protocol::make_cause(CauseCode::signin_timed_out, {}, evidence(last_step())));
      case Timer::grace: return state_.unfit ? fail_by_shape() : fail(protocol::make_cause(CauseCode::signin_cli_exited, {}, evidence("")));
      case Timer::shape: return fail_by_shape();
    }
  }

  std::vector<Effect> take() { return std::move(effects_); }

private:
  bool has_reported(Step step) const { return std::find(state_.reported.begin(), state_.reported.end(), step) != state_.reported.end(); }

  void report(TellStep step) {
    if (has_reported(step.step)) return;
    state_.reported.push_back(step.step);
    for (; state_.answers_told < state_.answered.size(); ++state_.answers_told)
      step.detail += (step.detail.empty() ? "" : "; ") + ("screen answered: " + std::string(state_.answered[state_.answers_told]));
    effects_.emplace_back(std::move(step));
  }
  void arm(Timer timer, std::chrono::milliseconds after) { effects_.emplace_back(Arm{timer, after}); }
  void look() { effects_.emplace_back(LookForCredential{}); }

  void use_url() {
    const std::string& url = state_.browser_url.empty() ? state_.screen_url : state_.browser_url;
    effects_.emplace_back(Disarm{Timer::settle});
    effects_.emplace_back(Disarm{Timer::url});
    std::string detail = state_.browser_url.empty() ? "on the screen" : "by the browser that the CLI asked for";
    if (!state_.unknown_version.empty()) detail += "; " + differences();
    report({.step = Step::url_found, .detail = std::move(detail), .url = url});
    arm(Timer::user, state_.deadlines.user);
    open(url);
  }

  /// The CLI asks for a browser after its screen was taken at its word: what it asks for is opened too, once.
  void open_late() {
    if (!state_.browser_url.empty() && state_.browser_url != state_.opened_url && state_.opened_url == state_.screen_url)
      open(state_.browser_url);
  }

  void open(const std::string& url) {
    state_.opened_url = url;
    effects_.emplace_back(WatchCallback{state_.provider->callback_port != 0 ? state_.provider->callback_port : callback_port_of(url)});
    effects_.emplace_back(OpenBrowser{url});
  }

  void fail_by_shape() {
    std::string fields;
    for (const auto& name : state_.unfit->missing)
      if (fields.size() + name.size() < max_fields_bytes) fields += (fields.empty() ? "" : " ") + name;
    if (fields.empty()) fields = to_text(state_.unfit->fault);
    fail(protocol::make_cause(CauseCode::signin_credential_unknown_shape, {{"fields", fields}},
                              evidence("the file " + why_not(*state_.unfit))));
  }

  std::string last_step() const {
    return state_.reported.empty() ? "" : "the last step was " + std::string(to_text(state_.reported.back()));
  }

  bool is_address_known() const { return !state_.browser_url.empty() || !state_.screen_url.empty(); }

  std::string known_versions() const {
    std::string all;
    for (const auto each : state_.provider->known_versions) all += (all.empty() ? "" : ", ") + std::string(each);
    return all;
  }

  /// Of a version that is not known, or of addresses that are none of the known forms.
  std::string differences() const {
    std::string all;
    for (const auto& answer : state_.provider->answers)
      if (std::find(state_.answered.begin(), state_.answered.end(), answer.name) == state_.answered.end())
        all += (all.empty() ? "screen not met: " : ", ") + std::string(answer.name);
    for (const auto& each : state_.differences) all += (all.empty() ? "" : "; ") + ("address of another form: " + each);
    if (!has_reported(Step::url_found) && !is_address_known()) all += (all.empty() ? "" : "; ") + std::string("no address of a known form");
    return "unlike " + known_versions() + ": " + (all.empty() ? "nothing, its screens and its address are as known" : all);
  }

  std::vector<std::string> evidence(std::string line) const {
    std::vector<std::string> lines;
    if (!line.empty()) lines.push_back(std::move(line));
    const bool has_shown_address = has_reported(Step::url_found);
    if (!has_shown_address && !state_.unknown_version.empty())
      lines.push_back(state_.unknown_version + " is not known; " + differences());
    else if (!has_shown_address && !state_.differences.empty())
      lines.push_back(differences());
    if (state_.exit) lines.push_back(std::string(state_.provider->title) + " ended with " + protocol::to_text(*state_.exit));
    return lines;
  }

  void fail(protocol::Cause cause) {
    report({.step = Step::failed, .cause = std::move(cause)});
    finish(false);
  }

  void finish(bool holds_credential) {
    state_.finished = true;
    effects_.emplace_back(Finish{holds_credential});
  }

  State& state_;
  std::vector<Effect> effects_;
};

}  // namespace

std::vector<Effect> reduce(State& state, const Event& event) {
  if (state.finished) return {};
  Course course(state);
  std::visit([&course](const auto& each) { course.on(each); }, event);
  return course.take();
}

}  // namespace vigil::guest::signin
