#include "host/sessions/sessions.hpp"

#include "host/sessions/session_json.hpp"
#include "shared/signin/credential.hpp"

#include <spdlog/spdlog.h>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <sys/random.h>

#include <algorithm>
#include <cstdlib>

namespace vigil::sessions {

namespace asio = boost::asio;

namespace {

constexpr std::size_t max_served = 1000, max_ended = 1000, max_live = 200, max_live_of_owner = 100;
constexpr UnixUs us_of_second = 1'000'000, kept_after_end = 30ULL * 86'400 * us_of_second;
constexpr std::chrono::seconds retry_deadlines{1};

std::string new_session_id() {
  std::uint64_t bits = 0;
  if (::getrandom(&bits, sizeof bits, 0) != static_cast<ssize_t>(sizeof bits)) std::abort();
  return "ss-" + make_instance_id(bits).value().substr(3);
}

bool is_same_sign_in(const Opened& one, const Opened& other) {
  return one.owner == other.owner && one.user == other.user && one.provider == other.provider;
}

Error no_session(const std::string& id) { return Error(Errc::not_found, "there is no session " + id.substr(0, 80)); }

}  // namespace

Sessions::Sessions(asio::io_context& io, const Clock& clock, Vms& vms, vault::Vault& vault, events::EventBus& bus, std::string log_path,
                   std::uint32_t scale)
    : io_(io),
      clock_(clock),
      vms_(vms),
      vault_(vault),
      bus_(bus),
      log_path_(std::move(log_path)),
      scale_(scale),
      delivery_(vms, vault, clock, std::chrono::seconds(30) * scale),
      turns_(io.get_executor()),
      deadline_(io),
      tasks_(io.get_executor()) {}

Sessions::~Sessions() = default;

void Sessions::load() {
  const auto taken_up = take_up();
  if (!taken_up) {
    problem_ = taken_up.error().with_context("sign-in sessions are not there");
    spdlog::error("sessions.not_loaded err=\"{}\"", problem_->message());
  }
}

Result<void> Sessions::take_up() {
  TRY(log, SessionLog::open(log_path_));
  log_ = std::move(log);
  TRY(kept, log_->all());
  if (kept.skipped != 0) spdlog::warn("sessions.events_skipped events={}", kept.skipped);
  for (const auto& event : kept.events) {
    auto& entry = entries_[event.session];
    if (!entry) entry = std::make_unique<Entry>(io_.get_executor());
    reduce(entry->session, event);
    serve(*entry, event);
  }
  std::erase_if(entries_, [](const auto& each) { return each.second->session.id.empty(); });
  TRY(cli_vms, log_->cli_vms());
  cli_vms_ = std::move(cli_vms);
  drop_old();
  follow_vms();
  for (const auto& [id, entry] : entries_) {
    if (!is_terminal(entry->session.state) && work_of(entry->session) == Work::run_cli) TRY_VOID(record(*entry, Resumed{}));
    schedule_work(*entry);
  }
  arm_deadline();
  return {};
}

asio::awaitable<void> Sessions::stop() {
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  co_await asio::post(io_, asio::use_awaitable);   // what was spawned in this turn begins before it is cancelled
  stopping_ = true;
  alive_.reset();
  deadline_.cancel();
  vm_events_.reset();
  co_await tasks_.stop();
  for (auto& [id, entry] : entries_) co_await entry->tasks.stop();
}

// ---- commands ----

Opened Sessions::scaled(Opened order) const {
  auto& patience = order.patience;
  for (auto* const seconds : {&patience.boot_s, &patience.address_s, &patience.store_s, &patience.deliver_s}) *seconds *= scale_;
  return order;
}

Result<std::string> Sessions::open(Opened order) {
  if (problem_) return *problem_;
  std::size_t live = 0, of_owner = 0;
  for (const auto& [id, entry] : entries_) {
    if (is_terminal(entry->session.state)) continue;
    ++live;
    if (entry->session.order.owner == order.owner) ++of_owner;
    if (is_same_sign_in(entry->session.order, order))
      return Error(Errc::conflict, "session " + id + " signs " + order.user + " in to " + std::string(vigil::to_text(order.provider)) +
                                       " already: wait for it, or vigil session cancel " + id);
  }
  if (of_owner >= max_live_of_owner)
    return Error(Errc::conflict, std::to_string(of_owner) + " sessions of this owner are under way, no more are begun until one has ended");
  if (live >= max_live)
    return Error(Errc::conflict, std::to_string(live) + " sessions are under way, no more are begun until one has ended");
  if (order.cli_vm) {
    const UserKey key{order.owner, order.user};
    const CliVm vm{*order.cli_vm, order.cli_user};
    TRY_VOID(log_->set_cli_vm(key, vm));
    cli_vms_[key] = vm;
  }
  auto entry = std::make_unique<Entry>(io_.get_executor());
  auto& made = *entry;
  const auto id = new_session_id();
  Event event{0, id, clock_.unix_us(), scaled(std::move(order))};
  TRY_VOID(log_->append(event));
  reduce(made.session, event);
  serve(made, event);
  entries_[id] = std::move(entry);
  spdlog::info("session.opened session={} provider={} actor=\"{}\"", id, vigil::to_text(made.session.order.provider),
               made.session.order.actor);
  drop_old();
  if (made.session.order.browser_vm) TRY_VOID(record(made, VmGiven{*made.session.order.browser_vm, Ownership::attached, bus_.last()}));
  schedule_work(made);
  arm_deadline();
  return id;
}

Result<void> Sessions::cancel(const std::string& id, const std::string& actor) {
  if (problem_) return *problem_;
  auto* const entry = entry_of(id);
  if (entry == nullptr) return no_session(id);
  if (entry->session.state == State::delivering)
    return Error(Errc::conflict, "session " + id + " has stored its credential already; vigil vault rm removes it");
  if (is_terminal(entry->session.state))
    return Error(Errc::conflict, "session " + id + " is " + std::string(vigil::to_text(entry->session.state)) + " already");
  return record(*entry, CancelAsked{actor});
}

Result<void> Sessions::heartbeat(const std::string& id, const std::string& by) {
  if (problem_) return *problem_;
  auto* const entry = entry_of(id);
  if (entry == nullptr) return no_session(id);
  if (is_terminal(entry->session.state))
    return Error(Errc::conflict, "session " + id + " is " + std::string(vigil::to_text(entry->session.state)));
  const auto now = clock_.unix_us();
  const auto lease = entry->session.order.patience.lease_s * us_of_second;
  Held held{now + lease, by};
  if (now < entry->held_recorded_unix_us + lease / 2) {   // the disk need not hear of every one
    apply_unrecorded(*entry, std::move(held));
    return {};
  }
  entry->held_recorded_unix_us = now;
  return record(*entry, std::move(held));
}

Result<void> Sessions::give(const std::string& id, vault::Secret credential, const std::string& actor) {
  if (problem_) return *problem_;
  auto* const entry = entry_of(id);
  if (entry == nullptr) return no_session(id);
  const auto& session = entry->session;
  if (session.state > State::storing)
    return Error(Errc::conflict, "session " + id + " is " + std::string(vigil::to_text(session.state)) + " already");
  const auto checked = signin::check_credential(session.order.provider, credential.view());
  if (const auto* const problem = std::get_if<signin::CredentialProblem>(&checked))
    return Error(Errc::invalid, "the credential " + signin::why_not(*problem));
  const vault::EntryKey of{session.order.owner, session.order.user, std::string(vigil::to_text(session.order.provider))};
  TRY(put, vault_.put(of, credential, {std::get<signin::CredentialFacts>(checked).schema, id}, actor));
  return record(*entry, Stored{put.version, put.bytes, put.sha256, put.shape});
}

// ---- looks ----

Sessions::Entry* Sessions::entry_of(const std::string& id) const {
  const auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : found->second.get();
}

Result<const Session*> Sessions::find(const std::string& id) const {
  if (problem_) return *problem_;
  const auto* const entry = entry_of(id);
  if (entry == nullptr) return no_session(id);
  return &entry->session;
}

Result<std::vector<const Session*>> Sessions::list() const {
  if (problem_) return *problem_;
  std::vector<const Session*> all;
  for (const auto& [id, entry] : entries_) all.push_back(&entry->session);
  std::ranges::sort(all, [](const Session* a, const Session* b) { return a->history.front().at_unix_us > b->history.front().at_unix_us; });
  return all;
}

std::optional<CliVm> Sessions::cli_vm_of(const UserKey& key) const {
  const auto found = cli_vms_.find(key);
  return found == cli_vms_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<ServedEvent> Sessions::events_of(const std::string& id, std::uint64_t after) const {
  std::vector<ServedEvent> events;
  const auto* const entry = entry_of(id);
  if (entry == nullptr) return events;
  for (const auto& event : entry->served)
    if (event.seq > after) events.push_back(event);
  return events;
}

Sessions::Viewer Sessions::join(const std::string& id, std::function<void()> wake) {
  auto* const entry = entry_of(id);
  if (entry == nullptr) return nullptr;
  const auto number = entry->next_viewer++;
  entry->viewers[number] = std::move(wake);
  const auto leave = [this, id, number, alive = std::weak_ptr<int>(alive_)](void*) {
    if (alive.expired()) return;
    if (auto* const left = entry_of(id)) left->viewers.erase(number);
  };
  return Viewer(static_cast<void*>(entry), leave);
}

// ---- what happens ----

Result<void> Sessions::record(Entry& entry, EventBody body) {
  Event event{0, entry.session.id, clock_.unix_us(), std::move(body)};
  auto next = entry.session;
  if (reduce(next, event) == Outcome::stray) return {};
  TRY_VOID(log_->append(event));
  next.last_seq = event.seq;
  const bool is_other_state = next.state != entry.session.state;
  entry.session = std::move(next);
  if (is_other_state) spdlog::info("session.state session={} state={}", entry.session.id, vigil::to_text(entry.session.state));
  serve(entry, event);
  if (is_other_state && is_terminal(entry.session.state))
    for (auto& told : entry.served) forget_url(told.data);
  const auto viewers = entry.viewers;   // one that is woken may leave
  for (const auto& [number, wake] : viewers) wake();
  schedule_work(entry);
  arm_deadline();
  return {};
}

/// The first is kept: it says what was ordered.
void Sessions::serve(Entry& entry, const Event& event) {
  if (entry.served.size() >= max_served) entry.served.erase(entry.served.begin() + 1);
  entry.served.push_back({event.seq, event_type(event.body), served_event(event, entry.session.state)});
}

void Sessions::apply_unrecorded(Entry& entry, EventBody body) {
  reduce(entry.session, Event{0, entry.session.id, clock_.unix_us(), std::move(body)});
}

/// In a turn of its own: the work that recorded the event may be what is to be cancelled, and a coroutine that is cancelled while it runs, and ends before it has ever waited,
/// throws out of the event loop (co_spawn's own code does).
void Sessions::schedule_work(const Entry& entry) {
  asio::post(io_, [this, id = entry.session.id, alive = std::weak_ptr<int>(alive_)] {
    if (alive.expired()) return;
    if (auto* const found = entry_of(id)) work_on(*found);
  });
}

/// What is under way is left alone as long as its end is wanted: the CLI's stream goes on while the credential is taken.
void Sessions::work_on(Entry& entry) {
  if (stopping_) return;
  hold_vms(entry);
  const auto work = work_of(entry.session);
  const auto attempt = entry.session.attempt;
  const bool is_new_attempt = entry.working && entry.working->second != attempt;
  if (is_terminal(entry.session.state) || is_new_attempt)
    if (!entry.working || entry.working->first != Work::remove_vm) entry.tasks.cancel();
  if (!work) {
    entry.working.reset();
    return;
  }
  const std::pair wanted{*work, attempt};
  if (entry.working == wanted) return;
  entry.working = wanted;
  const auto id = entry.session.id;
  switch (*work) {
    case Work::make_vm: return entry.tasks.spawn("session.make_vm", [this, id] { return make_vm(id); });
    case Work::watch_vm: return look_at_vm(entry);
    case Work::run_cli: return entry.tasks.spawn("session.run_cli", [this, id, attempt] { return run_cli(id, attempt); });
    case Work::store: return entry.tasks.spawn("session.store", [this, id] { return store(id); });
    case Work::hand_over: return entry.tasks.spawn("session.hand_over", [this, id] { return hand_over(id); });
    case Work::remove_vm: return entry.tasks.spawn("session.remove_vm", [this, id] { return remove_vm(id); });
  }
  std::abort();
}

/// Its own VM and the one that its credential goes to, from its beginning to its end.
void Sessions::hold_vms(Entry& entry) {
  const auto& session = entry.session;
  std::map<InstanceId, std::shared_ptr<const void>> held;
  const auto hold = [&](const InstanceId& vm) {
    const auto before = entry.held.find(vm);
    held[vm] = before == entry.held.end() ? vms_.use(vm, session.id) : before->second;
  };
  if (!is_terminal(session.state)) {
    if (session.vm) hold(*session.vm);
    if (const auto cli_vm = cli_vm_of({session.order.owner, session.order.user})) hold(cli_vm->vm);
  }
  entry.held = std::move(held);
}

void Sessions::arm_deadline() {
  UnixUs next = 0;
  for (const auto& [id, entry] : entries_) {
    const auto due = entry->session.deadline_unix_us;
    if (due != 0 && (next == 0 || due < next)) next = due;
  }
  if (next == 0 || stopping_) return;
  const auto now = clock_.unix_us();
  deadline_.expires_after(std::chrono::microseconds(next > now ? next - now : 0));
  deadline_.async_wait([this, alive = std::weak_ptr<int>(alive_)](boost::system::error_code failure) {
    if (!failure && !alive.expired()) deadlines_passed();
  });
}

void Sessions::deadlines_passed() {
  const auto now = clock_.unix_us();
  bool is_refused = false;
  for (const auto& [id, entry] : entries_) {
    if (entry->session.deadline_unix_us == 0 || entry->session.deadline_unix_us > now) continue;
    const auto& vm = entry->session.vm;
    const bool in_use = !entry->viewers.empty() || (vm && vms_.is_in_use(*vm));
    const auto recorded = record(*entry, DeadlinePassed{in_use});
    if (!recorded) spdlog::error("session.not_recorded session={} err=\"{}\"", id, recorded.error().message());
    is_refused = is_refused || !recorded;
  }
  if (!is_refused) return arm_deadline();
  deadline_.expires_after(retry_deadlines);
  deadline_.async_wait([this, alive = std::weak_ptr<int>(alive_)](boost::system::error_code failure) {
    if (!failure && !alive.expired()) deadlines_passed();
  });
}

/// The oldest of those that have ended, and whose VM is gone.
void Sessions::drop_old() {
  std::vector<const Session*> ended;
  for (const auto& [id, entry] : entries_)
    if (is_terminal(entry->session.state) && !work_of(entry->session) && entry->viewers.empty() && entry->tasks.size() == 0)
      ended.push_back(&entry->session);
  std::ranges::sort(ended, [](const Session* a, const Session* b) { return a->history.back().at_unix_us > b->history.back().at_unix_us; });
  const auto now = clock_.unix_us();
  std::vector<std::string> dropped;
  for (std::size_t i = 0; i < ended.size(); ++i)
    if (i >= max_ended || ended[i]->history.back().at_unix_us + kept_after_end < now) dropped.push_back(ended[i]->id);
  for (const auto& id : dropped) {
    if (const auto forgotten = log_->forget(id); !forgotten) continue;
    entries_.erase(id);
  }
}

}  // namespace vigil::sessions
