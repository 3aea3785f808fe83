#include "guest/signin/sign_in.hpp"

#include "guest/log/log.hpp"
#include "guest/signin/installed_version.hpp"
#include "guest/signin/redaction.hpp"
#include "guest/signin/url_finder.hpp"
#include "guest/streams/exec_plan.hpp"

#include <algorithm>
#include <csignal>
#include <utility>

namespace vigil::guest::signin {

namespace {

constexpr std::chrono::milliseconds screen_look_after{50}, screen_look_later{250}, answer_after{300}, file_stable_for{100},
    callback_look_every{500}, kill_after{2'000}, browser_patience{20'000}, last_words{3'000};
constexpr std::size_t max_screen_bytes = 8 * 1024, max_names_told = 8, max_evidence = 8;

Deadlines deadlines_of(const vigil::streams::SigninRunOpening& opening, const vigil::signin::ProviderRow& provider, int scale) {
  Deadlines deadlines;
  deadlines.url = std::chrono::seconds(provider.address_s) * scale;
  deadlines.grace *= scale;
  deadlines.shape *= scale;
  deadlines.user = std::chrono::seconds(provider.patience_s == 0 ? opening.deadline_s : std::min(opening.deadline_s, provider.patience_s));
  return deadlines;
}

}  // namespace

Result<std::unique_ptr<SignIn>> SignIn::start(SignInHost& host, const vigil::streams::SigninRunOpening& opening,
                                              const vigil::signin::ProviderRow& provider, SignInEvents events) {
  TRY(account, process::look_up_account(opening.user, ""));
  if (!host.home.empty()) account.home = host.home;
  auto sign_in = std::make_unique<SignIn>(host, opening, provider, std::move(account), std::move(events));
  TRY_VOID(sign_in->launch());
  return sign_in;
}

SignIn::SignIn(SignInHost& host, const vigil::streams::SigninRunOpening& opening, const vigil::signin::ProviderRow& provider,
               process::Account account, SignInEvents events)
    : host_(host),
      opening_(opening),
      account_(std::move(account)),
      desktop_(find_desktop(account_)),
      events_(std::move(events)),
      state_{.provider = &provider, .deadlines = deadlines_of(opening, provider, host.deadline_scale)},
      screen_(opening.terminal.rows, opening.terminal.columns),
      answers_(provider),
      file_watch_(host.exec.loop, account_.home + "/" + std::string(provider.credential_path), [this] { look_for_credential(); }) {}

SignIn::~SignIn() {
  *alive_ = false;
  if (cli_) cli_->detach(*this);
  if (held_) wipe(held_->bytes);
}

Result<void> SignIn::launch() {
  const auto plan = streams::plan_exec(cli_opening(), host_.exec.env);   // says what is missing before anything is made
  if (!plan) return plan.error();
  if (auto mark = mark_of(account_.home, state_.provider->credential_path, account_.credentials.uid)) before_ = *mark;
  TRY(door, OpenUrlDoor::open(host_.exec.loop, host_.directory + "/" + opening_.session, host_.program, account_.credentials.uid,
                              [this](std::string url) {
                                if (is_sign_in_url(*state_.provider, url)) return happened(UrlSeen{std::move(url), UrlSource::browser});
                                log::info("signin.other_url", {{"session", opening_.session}});
                                if (const auto difference = address_difference(*state_.provider, url))
                                  happened(AddressDiffers{*difference});
                              }));
  door_ = std::move(door);
  file_watch_.begin();
  TRY(cli, streams::ExecSession::start(host_.exec, "signin." + opening_.session, cli_opening(),
                                       [this](streams::ExecSession&) { session_changed(); }));
  cli_ = std::move(cli);
  cli_->attach(*this);
  tell_started(plan->argv.front());
  look_for_credential();  // it may have been quicker than this
  return {};
}

vigil::streams::ExecOpening SignIn::cli_opening() const {
  vigil::streams::ExecOpening open;
  const auto& row = *state_.provider;
  open.argv.assign(row.command.begin(), row.command.end());
  if (desktop_) open.env = desktop_->env;
  open.env["TERM"] = "xterm-256color";
  for (const auto& variable : row.environment) open.env[std::string(variable.name)] = variable.value;
  auto path = process::environment_of(account_)["PATH"];
  if (const auto given = host_.exec.env.find("PATH"); given != host_.exec.env.end()) path = given->second;
  const std::string directory = host_.directory + "/" + opening_.session;
  open.env["PATH"] = directory + ":" + path;
  open.env["BROWSER"] = directory + "/open-url";
  open.env[open_url_variable] = directory + "/url.sock";
  if (!host_.home.empty()) open.env["HOME"] = host_.home;
  open.user = opening_.user;
  open.terminal = opening_.terminal;
  return open;
}

void SignIn::tell_started(const std::string& program) {
  const auto version = installed_version(program);
  log::info("signin.started",
            {{"session", opening_.session}, {"provider", to_text(state_.provider->provider)}, {"pid", cli_->pid()}, {"version", version}});
  happened(CliStarted{version});
}

void SignIn::session_changed() {
  if (!cli_) return;
  for (auto& output : cli_->outputs()) {
    const auto bytes = output.take();
    if (bytes.empty()) continue;
    screen_.write(bytes);
    events_.display(bytes);
    if (!screen_look_)
      screen_look_ = host_.exec.loop.after(state_.opened_url.empty() ? screen_look_after : screen_look_later, [this] { look_at_screen(); });
  }
  if (const auto answers = screen_.take_answers(); !answers.empty() && !cli_->exit()) cli_->write_input(answers);
  if (!cli_->exit() || !cli_->has_output_ended()) return;
  if (!std::exchange(told_exit_, true)) {
    look_at_screen();
    happened(CliExited{*cli_->exit()});
  }
  tell_gone();
}

void SignIn::tell_gone() {
  if (!state_.finished || !told_exit_ || std::exchange(told_gone_, true)) return;
  leave_.cancel();
  kill_.cancel();
  host_.exec.loop.post([this, alive = std::weak_ptr<bool>(alive_)] {
    if (!alive.expired()) events_.gone();
  });
}

void SignIn::look_at_screen() {
  screen_look_.cancel();
  if (state_.finished) return;
  look_for_urls();
  if (state_.finished) return;
  const auto lines = screen_.cells().lines();
  if (answers_.says_signed_in(lines)) happened(CallbackSeen{"the CLI says so"});
  if (!state_.finished && !cli_->exit()) answer_screen(lines);
}

void SignIn::look_for_urls() {
  const auto links = screen_.take_links();
  const auto link =
      std::find_if(links.begin(), links.end(), [this](const std::string& each) { return is_sign_in_url(*state_.provider, each); });
  if (link != links.end()) return happened(UrlSeen{*link, UrlSource::screen});
  const auto urls = find_urls(*state_.provider, screen_.cells().lines_with_history(), static_cast<std::size_t>(screen_.cells().columns()));
  if (!urls.empty() && urls.back() != state_.screen_url) happened(UrlSeen{urls.back(), UrlSource::screen});
}

void SignIn::answer_screen(const std::vector<Line>& lines) {
  const auto* const answer = answers_.match(lines);
  if (answer != nullptr && answer == std::exchange(pending_, answer)) {
    answers_.count(*answer);
    log::info("signin.answered", {{"session", opening_.session}, {"screen", answer->name}});
    happened(ScreenAnswered{answer->name});
    cli_->write_input(answer->keys);
    pending_ = nullptr;
  }
  if (pending_ != nullptr) screen_look_ = host_.exec.loop.after(answer_after, [this] { look_at_screen(); });
}

void SignIn::look_for_credential() {
  if (state_.finished) return;
  const auto mark = mark_of(account_.home, state_.provider->credential_path, account_.credentials.uid);
  if (!mark) {
    if (mark.error().code() != Errc::not_found) trap_ = mark.error().message();
    return;
  }
  if (before_ && *before_ == *mark) return;
  if (last_ && *last_ == *mark) return take_credential(*mark);
  last_ = *mark;
  file_look_ = host_.exec.loop.after(file_stable_for, [this] { look_for_credential(); });
}

void SignIn::take_credential(const FileMark& mark) {
  const auto& row = *state_.provider;
  auto file = read_credential(account_.home, row.credential_path, account_.credentials.uid, row.max_credential_bytes);
  if (!file || !(file->mark == mark)) {
    if (file) wipe(file->bytes);
    file_look_ = host_.exec.loop.after(file_stable_for, [this] { look_for_credential(); });
    return;
  }
  const auto checked = check_credential(row.provider, file->bytes);
  if (const auto* problem = std::get_if<vigil::signin::CredentialProblem>(&checked)) {
    wipe(file->bytes);
    return happened(CredentialUnfit{*problem});
  }
  const auto& facts = std::get<vigil::signin::CredentialFacts>(checked);
  held_ = HeldCredential{std::move(file->bytes), facts, account_.home, opening_.user, row.credential_path, account_.credentials.uid, mark};
  happened(CredentialFits{facts});
}

void SignIn::look_for_callback() {
  if (state_.finished || !callback_) return;
  if (callback_->has_been_called()) {
    callback_.reset();
    return happened(CallbackSeen{"a connection to its port"});
  }
  callback_look_ = host_.exec.loop.after(callback_look_every, [this] { look_for_callback(); });
}

void SignIn::happened(const Event& event) {
  for (const auto& effect : reduce(state_, event)) std::visit([this](const auto& each) { perform(each); }, effect);
}

void SignIn::perform(const TellStep& step) {
  protocol::SigninReport report;
  report.session = SigninSessionId(opening_.session);
  report.provider = to_text(state_.provider->provider);
  report.step = step.step;
  report.detail = step.detail;
  report.private_url = step.url;
  report.cli_version = step.version;
  report.credential = step.credential;
  report.cause = step.cause;
  if (report.cause) {
    add_evidence(*report.cause);
    report.screen = redacted_screen(screen_.cells().lines_with_history(), max_screen_bytes);
  }
  log::info("signin.step", {{"session", opening_.session}, {"step", to_text(step.step)}, {"cause", step.cause ? step.cause->text : ""}});
  host_.reports.submit(std::move(report));
}

void SignIn::add_evidence(protocol::Cause& cause) const {
  if (state_.opened_url.empty())   // one that is still being drawn would look like another form: so only now
    for (const auto& each :
         find_differences(*state_.provider, screen_.cells().lines_with_history(), static_cast<std::size_t>(screen_.cells().columns())))
      if (cause.evidence.size() < max_evidence) cause.evidence.push_back("on its screen an address of another form: " + each);
  if (!trap_.empty()) cause.evidence.push_back("not read: " + trap_);
  if (cause.code == protocol::CauseCode::signin_cancelled || cause.code == protocol::CauseCode::signin_url_not_found) return;
  std::string names;
  for (const auto& name : names_beside(account_.home, state_.provider->credential_path, max_names_told))
    names += (names.empty() ? "" : ", ") + name;
  cause.evidence.push_back("expected ~/" + std::string(state_.provider->credential_path) +
                           "; beside it: " + (names.empty() ? "nothing" : names));
}

void SignIn::perform(const OpenBrowser& open) {
  if (!desktop_) return happened(BrowserEnded{"this image has no desktop"});
  browser_.emplace(host_.exec, "signin-browser." + opening_.session, *desktop_, opening_.user, open.url,
                   browser_patience * host_.deadline_scale, [this](std::string problem) { happened(BrowserEnded{std::move(problem)}); });
}

void SignIn::perform(const Arm& arm) {
  timers_[arm.timer] = host_.exec.loop.after(arm.after, [this, timer = arm.timer] { happened(Expired{timer}); });
}

void SignIn::perform(const WatchCallback& watch) {
  if (watch.port == 0) return;
  callback_.emplace(watch.port);
  look_for_callback();
}

void SignIn::perform(const Finish& finish) {
  timers_.clear();
  file_watch_.end();
  file_look_.cancel();
  callback_look_.cancel();
  // A CLI writes its credential before it answers the browser that brought the code: ended now, its user would see a broken page in place of "you are signed in".
  if (finish.holds_credential)
    leave_ = host_.exec.loop.after(last_words * host_.deadline_scale, [this] { stop_cli(); });
  else
    stop_cli();
  auto held = finish.holds_credential ? std::exchange(held_, {}) : std::optional<HeldCredential>();
  events_.finished(std::move(held));
  tell_gone();
}

void SignIn::stop_cli() {
  if (cli_->exit()) return;
  cli_->signal(SIGTERM);
  cli_->signal(SIGHUP);
  kill_ = host_.exec.loop.after(kill_after, [this] { cli_->signal(SIGKILL); });
}

}  // namespace vigil::guest::signin
