#include "host/shim/shim.hpp"

#include "host/shim/child.hpp"
#include "host/shim/passed_files.hpp"
#include "shared/base/encoding.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <utility>

namespace vigil::shim {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds linger{10};              // for clients that are slow, or about to come, after the end
constexpr seconds kill_after_term{5};
constexpr seconds record_retry{1}, look_at_waiting{1};
constexpr std::chrono::minutes record_patience{10};   // a full disk may get room again
constexpr std::size_t max_clients = 8;
constexpr std::ptrdiff_t max_waiting = 16;            // of each door
constexpr std::size_t log_tail_bytes = 1024;

TimePoint now_steady() { return std::chrono::steady_clock::now(); }

protocol::ExitStatus exit_of(int status) {
  if (WIFEXITED(status)) return protocol::ExitCode{WEXITSTATUS(status)};
  if (WIFSIGNALED(status)) return protocol::ExitSignal{WTERMSIG(status), WCOREDUMP(status)};
  return protocol::ExitUnknown{"wait status " + std::to_string(status)};
}

std::uint64_t in_us(const timeval& time) { return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(time.tv_usec); }

ino_t inode_of(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

Usage usage_of(const rusage& used) {
  return {in_us(used.ru_utime), in_us(used.ru_stime), static_cast<std::uint64_t>(used.ru_maxrss)};
}

}  // namespace

Result<std::unique_ptr<Shim>> Shim::make(ShimSpec spec, UniqueFd listener, UniqueFd signals) {
  TRY(console, StreamPipe::make(console_log_path(spec.log_dir), spec.console));
  TRY(log, StreamPipe::make(vmm_log_path(spec.log_dir), spec.vmm_log));
  return std::unique_ptr<Shim>(new Shim(std::move(spec), std::move(listener), std::move(signals), std::move(console), std::move(log)));
}

Shim::Shim(ShimSpec spec, UniqueFd listener, UniqueFd signals, StreamPipe console, StreamPipe log)
    : spec_(std::move(spec)), listener_(std::move(listener)), signals_(std::move(signals)), null_(::open("/dev/null", O_RDWR | O_CLOEXEC)),
      console_(std::move(console)), log_(std::move(log)), dials_(spec_.dial_path) {
  record_.instance = spec_.instance;
  record_.run = spec_.run;
  record_.host_boot_id = host_boot_id();
  if (const auto self = identify(::getpid())) record_.shim = *self;
  socket_inode_ = inode_of(shim_socket_path(spec_.run_dir));
}

void Shim::run() {
  begin();
  while (!is_over(now_steady())) wait_and_serve();
  finish();
}

// ---- the story of a run

void Shim::begin() {
  record_.started_unix_us = clock_.unix_us();
  const std::string groups = "vigil-" + spec_.instance.value() + "-";
  cgroup::sweep_groups(groups);
  auto group = cgroup::make_group(groups + std::to_string(spec_.run.value()));
  if (group) group_ = std::move(*group);
  const auto joined = group ? group_->add(0) : Result<void>(group.error());
  if (!joined) note("no control group of its own: " + joined.error().message());
  if (const auto started = start(); !started) fail_start(started.error().message());
}

Result<void> Shim::start() {
  TRY(doors, Doors::open(spec_));
  doors_ = std::move(doors);
  return spec_.plan.device ? start_device() : start_vmm();
}

Result<void> Shim::start_device() {
  const auto& device = *spec_.plan.device;
  TRY(watch, SocketWatch::make(device.socket));
  const int log = log_.write_end();
  const ChildPlan plan{device.argv, {{null_.get(), 0}, {log, 1}, {log, 2}}, spec_.credentials};
  TRY(pid, start_child(plan));
  TRY(device_identity, identify(pid));
  record_.device = device_identity;
  device_socket_ = std::move(watch);
  start_deadline_ = now_steady() + device.deadline;
  if (device_socket_->appeared()) vmm_may_start();
  return {};
}

void Shim::vmm_may_start() {
  device_socket_.reset();
  start_deadline_.reset();
  if (const auto started = start_vmm(); !started) fail_start(started.error().message());
}

/// A VMM that takes paths only opens its pipes anew, as /proc/self/fd/N, and with the rights of its own user.
Result<void> Shim::give_pipes() {
  if (!spec_.credentials) return {};
  for (const int pipe : {console_.write_end(), log_.write_end()})
    if (::fchown(pipe, spec_.credentials->uid, spec_.credentials->gid) != 0) return Error::from_errno("give the VMM its pipes", errno);
  return {};
}

Result<void> Shim::start_vmm() {
  TRY(opened, open_for_vmm(spec_.plan));
  TRY_VOID(give_pipes());
  const int console = console_.write_end(), log = log_.write_end(), console_fd = spec_.plan.console_fd;
  ChildPlan plan{spec_.plan.argv, {{null_.get(), 0}, {console_fd == 1 ? console : log, 1}, {log, 2}}, spec_.credentials};
  if (console_fd != 1) plan.inherited.push_back({console, console_fd});
  for (const Opened& item : opened) plan.inherited.push_back({item.source.get(), item.target});
  TRY(pid, start_child(plan));
  TRY(vmm, identify(pid));
  record_.vmm = vmm;
  record_.started_unix_us = clock_.unix_us();
  console_.close_write_end();
  phase_ = Phase::running;
  broadcast(VmmStarted{record_.vmm, record_.device, record_.started_unix_us});
  return {};
}

void Shim::fail_start(const std::string& reason) {
  record_.start_error = reason;
  record_.exit = protocol::ExitUnknown{"never started"};
  record_.ended_unix_us = clock_.unix_us();
  note(reason);
  end_run();
}

/// The VMM is dead, so all that it wrote is in the pipes.
void Shim::end_run() {
  const auto now = now_steady();
  phase_ = Phase::ended;
  device_socket_.reset();
  start_deadline_.reset();
  kill_deadline_.reset();
  console_.close_write_end();
  console_.drain(now);
  log_.drain(now);
  console_.kept().finish();
  log_.kept().finish();
  record_.console_bytes = console_.kept().size();
  record_.console_gap_bytes = console_.kept().gap_bytes();
  record_.console_lost_bytes = console_.kept().lost_bytes();
  record_.log_tail = to_valid_utf8(log_.kept().last(log_tail_bytes), 3 * log_tail_bytes);
  const auto oom_kills = group_ ? group_->oom_kills() : std::nullopt;
  record_.host_oom = oom_kills.value_or(0) > 0;
  linger_until_ = now + linger;
  write_record(now);
  if (record_.device.pid > 0 && !device_ended_unix_us_) ::kill(static_cast<pid_t>(record_.device.pid), SIGKILL);
}

bool Shim::is_over(TimePoint now) const {
  const bool keeps_trying = phase_ == Phase::ended && !recorded_ && !told_ && !hopeless_;
  if (phase_ != Phase::ended || keeps_trying) return false;
  const bool busy = std::any_of(clients_.begin(), clients_.end(), [](const Client& client) { return client.is_attached(); });
  return (told_ && !busy) || now >= *linger_until_;
}

void Shim::finish() {
  // The next run of this VM may have taken the directory over by now.
  const std::string socket = shim_socket_path(spec_.run_dir);
  if (inode_of(socket) == socket_inode_) ::unlink(socket.c_str());
  kill_all_children();
  if (group_) {
    if (const auto removed = group_->remove(); !removed) note(removed.error().message());
  }
}

// ---- the loop

void Shim::wait_and_serve() {
  const auto before = now_steady();   // one clock reading for both: a pipe that is not watched yet must be in the timeout
  auto polled = watched(before);
  const int ready = ::poll(polled.data(), polled.size(), timeout_ms(before));
  if (ready < 0) return;
  const auto now = now_steady();
  const auto is_ready = [&](int fd) {
    return fd >= 0 && std::any_of(polled.begin(), polled.end(), [fd](const pollfd& item) { return item.fd == fd && item.revents != 0; });
  };
  if (is_ready(console_.read_end())) console_.drain(now);
  if (is_ready(log_.read_end())) log_.drain(now);
  if (device_socket_ && is_ready(device_socket_->fd()) && device_socket_->appeared()) vmm_may_start();
  for (Client& client : clients_)
    if (is_ready(client.fd())) serve(client);
  for (const int door : doors_.listeners())
    if (is_ready(door)) let_in(door);
  for (const int dialled : dials_.descriptors())
    if (is_ready(dialled)) dials_.look(dialled);
  if (is_ready(listener_.get())) accept_client();
  if (is_ready(signals_.get())) take_signals();
  check_deadlines(now);
  pass_on();
  hand_out_answers();
  for (Client& client : clients_) client.pump(console_.kept(), phase_ == Phase::ended ? &record_ : nullptr);
  for (Client& client : clients_)
    if (!client.is_open()) take_back(client);
  told_ = told_ || std::any_of(clients_.begin(), clients_.end(), [](const Client& client) { return client.is_told(); });
  clients_.remove_if([](const Client& client) { return !client.is_open() || client.is_told(); });
}

std::vector<pollfd> Shim::watched(TimePoint now) const {
  std::vector<pollfd> polled = {{signals_.get(), POLLIN, 0}};
  if (clients_.size() < max_clients) polled.push_back({listener_.get(), POLLIN, 0});
  for (const StreamPipe* pipe : {&console_, &log_})
    if (!pipe->has_ended() && pipe->due() <= now) polled.push_back({pipe->read_end(), POLLIN, 0});
  if (device_socket_) polled.push_back({device_socket_->fd(), POLLIN, 0});
  for (const int door : doors_.listeners())
    if (!is_full(door)) polled.push_back({door, POLLIN, 0});
  for (const int dialled : dials_.descriptors()) polled.push_back({dialled, POLLIN, 0});
  for (const Client& client : clients_) {
    const int wanted = POLLIN | (client.wants_write(console_.kept()) ? POLLOUT : 0);
    polled.push_back({client.fd(), static_cast<short>(wanted), 0});
  }
  return polled;
}

int Shim::timeout_ms(TimePoint now) const {
  std::optional<TimePoint> next;
  const auto consider = [&next](std::optional<TimePoint> due) {
    if (due && (!next || *due < *next)) next = due;
  };
  for (const auto& deadline : {start_deadline_, kill_deadline_, record_retry_}) consider(deadline);
  if (linger_until_ && *linger_until_ > now) consider(linger_until_);
  const bool is_stalled = std::any_of(clients_.begin(), clients_.end(), [](const Client& client) { return client.is_stalled(); });
  if (!waiting_.empty() || is_stalled) consider(now + look_at_waiting);   // the guest gives up without a word to us
  for (const StreamPipe* pipe : {&console_, &log_})
    if (!pipe->has_ended() && pipe->due() > now) consider(pipe->due());
  if (!next) return -1;
  const auto left = std::chrono::ceil<milliseconds>(*next - now).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

void Shim::check_deadlines(TimePoint now) {
  if (start_deadline_ && now >= *start_deadline_) {
    const auto& device = *spec_.plan.device;
    fail_start(device.argv[0] + ": no socket " + device.socket + " within " + std::to_string(device.deadline.count()) + " ms");
  }
  if (kill_deadline_ && now >= *kill_deadline_) stop_vmm(SIGKILL);
  if (record_retry_ && now >= *record_retry_) write_record(now);
}

void Shim::take_signals() {
  signalfd_siginfo signal{};
  while (::read(signals_.get(), &signal, sizeof(signal)) == static_cast<ssize_t>(sizeof(signal))) {
    if (signal.ssi_signo == SIGCHLD) continue;
    note("told to end by signal " + std::to_string(signal.ssi_signo));
    stop_vmm(SIGTERM);
    kill_deadline_ = now_steady() + kill_after_term;
  }
  reap();
}

void Shim::reap() {
  int wait_status = 0;
  rusage used{};
  bool device_ended = false;
  while (const pid_t pid = ::wait4(-1, &wait_status, WNOHANG | WUNTRACED | WCONTINUED, &used)) {
    if (pid < 0) break;
    if (WIFSTOPPED(wait_status) || WIFCONTINUED(wait_status)) {
      if (pid == record_.vmm.pid) note_halt(WIFSTOPPED(wait_status));
      continue;
    }
    if (pid == record_.vmm.pid && !vmm_ended_) {
      vmm_ended_ = true;
      record_.exit = exit_of(wait_status);
      record_.usage = usage_of(used);
      record_.ended_unix_us = clock_.unix_us();
    } else if (pid == record_.device.pid && !device_ended_unix_us_) {
      device_ended = true;
      device_ended_unix_us_ = clock_.unix_us();
      if (phase_ != Phase::ended) record_.device_exit = exit_of(wait_status);
    }
  }
  if (phase_ == Phase::ended) return;
  if (vmm_ended_) {
    if (device_ended) record_.device_exit.reset();   // both went at once: the device did not end before
    end_run();
  } else if (device_ended && phase_ == Phase::running) {
    broadcast(DeviceExited{*record_.device_exit, *device_ended_unix_us_});
  } else if (device_ended) {
    log_.drain(now_steady());
    fail_start(spec_.plan.device->argv[0] + ": ended before it was ready, " + protocol::to_text(*record_.device_exit) + "; it said: " +
               to_valid_utf8(log_.kept().last(log_tail_bytes), log_tail_bytes));
  }
}

// ---- clients

void Shim::accept_client() {
  UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (socket) clients_.emplace_back(std::move(socket), ++last_client_);
}

/// To the daemon that came last; where none is, or none takes more, it waits. Nothing that was accepted is hung up.
void Shim::let_in(int door) {
  if (UniqueFd socket = Doors::accept(door)) waiting_.push_back({doors_.port_of(door), std::move(socket)});
}

/// The next who dial it stay in its backlog.
bool Shim::is_full(int door) const {
  const auto port = doors_.port_of(door);
  return std::count_if(waiting_.begin(), waiting_.end(), [port](const Waiting& each) { return each.port == port; }) >= max_waiting;
}

void Shim::pass_on() {
  if (waiting_.empty()) return;
  forget_gone();
  const auto taker = std::find_if(clients_.rbegin(), clients_.rend(), [](const Client& client) { return client.wants_dialled(); });
  if (taker == clients_.rend()) return;
  for (; !waiting_.empty() && taker->takes_dialled(); waiting_.pop_front()) taker->send_dialled(waiting_.front().port, std::move(waiting_.front().socket));
}

/// What a daemon was to be given and did not get goes to the next, before those that came later.
void Shim::take_back(Client& client) {
  auto unsent = client.take_unsent();
  for (auto each = unsent.rbegin(); each != unsent.rend(); ++each)
    if (each->port != 0) waiting_.push_front({each->port, std::move(each->socket)});
}

/// To who asked; of one that has gone the connection ends here, answered.
void Shim::hand_out_answers() {
  for (auto& answer : dials_.take_answers()) {
    const auto asked = std::find_if(clients_.begin(), clients_.end(), [&answer](const Client& client) { return client.serial() == answer.client; });
    if (asked == clients_.end() || !asked->is_open()) continue;
    const bool connected = static_cast<bool>(answer.socket);
    asked->send_answer({answer.id, connected, answer.reason}, std::move(answer.socket));
  }
}

/// The guest gives a dial up that nobody answers, and dials again.
void Shim::forget_gone() {
  waiting_.remove_if([](const Waiting& each) {
    pollfd polled{each.socket.get(), POLLRDHUP, 0};
    return ::poll(&polled, 1, 0) > 0;
  });
}

void Shim::serve(Client& client) {
  for (const Command& command : client.receive()) obey(client, command);
}

void Shim::obey(Client& client, const Command& command) {
  if (const auto* attach = std::get_if<Attach>(&command)) {
    client.send(status());
    if (phase_ == Phase::running && record_.device_exit) client.send(DeviceExited{*record_.device_exit, *device_ended_unix_us_});
    if (phase_ == Phase::running && vmm_halted_) client.send(VmmHalted{true});
    client.attach(*attach);
    if (!attach->dialled) return;
    if (const auto opened = doors_.reopen_taken(spec_); !opened) note(opened.error().message());
  } else if (const auto* kill = std::get_if<Kill>(&command)) {
    stop_vmm(kill->signal);
  } else if (const auto* wanted = std::get_if<Dial>(&command)) {
    dials_.dial(client.serial(), wanted->id, wanted->port);
  } else {
    client.send(status());
  }
}

void Shim::stop_vmm(int signal) {
  if (phase_ == Phase::running && !vmm_ended_) ::kill(static_cast<pid_t>(record_.vmm.pid), signal);   // not reaped yet: the pid is its own
  else if (phase_ == Phase::starting) fail_start("stopped before it ran");
  kill_deadline_.reset();
}

void Shim::note_halt(bool halted) {
  if (std::exchange(vmm_halted_, halted) == halted || phase_ != Phase::running) return;
  broadcast(VmmHalted{halted});
}

void Shim::broadcast(const ShimEvent& event) {
  for (Client& client : clients_)
    if (client.is_attached()) client.send(event);
}

Status Shim::status() const {
  return {spec_.instance, spec_.run, phase_, record_.shim, record_.vmm, record_.device, console_.kept().size(), !spec_.doors.empty(), !spec_.dial_path.empty()};
}

// ---- records

void Shim::write_record(TimePoint now) {
  record_retry_.reset();
  const auto written = write_exit_record(exit_record_path(spec_.log_dir), record_);
  recorded_ = written.has_value();
  if (recorded_) return;
  // Without its directory nobody will look for it. Else try again, until a client was told.
  hopeless_ = written.error().code() == Errc::not_found || now >= *linger_until_ + record_patience;
  record_retry_ = now + record_retry;
}

void Shim::note(const std::string& line) { log_.kept().append("vigil-shim: " + line + "\n"); }

}  // namespace vigil::shim
