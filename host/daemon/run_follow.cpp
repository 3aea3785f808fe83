// VmRun, second part: from the shim's start to the VMM's end, also when the daemon was away in between.
#include "host/daemon/run_user.hpp"
#include "host/daemon/vm_run.hpp"
#include "host/fault/fault_point.hpp"
#include "host/shim/bounded_file.hpp"
#include "host/shim/shim_note.hpp"
#include "shared/base/overloaded.hpp"

#include <spdlog/spdlog.h>
#include <boost/asio/use_awaitable.hpp>

#include <poll.h>

#include <algorithm>
#include <csignal>
#include <fstream>

namespace vigil::daemon {

namespace asio = boost::asio;
using protocol::CauseCode;

namespace {

constexpr std::chrono::milliseconds link_drain{2'000};     // what the guest sent last is in the socket already
constexpr std::chrono::milliseconds log_drain{2'000};
constexpr std::chrono::milliseconds shim_end_step{100};    // a shim that does not answer is writing exit.json, or dead
constexpr int shim_end_steps = 50;

asio::awaitable<void> pause(std::chrono::milliseconds duration) {
  asio::steady_timer timer(co_await asio::this_coro::executor, duration);
  co_await timer.async_wait(asio::use_awaitable);
}

protocol::Cause start_failed(const std::string& reason, std::vector<std::string> evidence = {}) {
  return protocol::make_cause(CauseCode::vmm_start_failed, {{"reason", reason}}, std::move(evidence));
}

constexpr std::size_t max_last_words = 8;

bool has_left(int socket) {
  pollfd polled{socket, POLLRDHUP, 0};
  return ::poll(&polled, 1, 0) > 0;
}

std::vector<std::string> last_lines(const std::string& text, std::size_t count) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find('\n', begin), text.size());
    if (end > begin) lines.push_back(text.substr(begin, std::min<std::size_t>(end - begin, 500)));
    begin = end + 1;
  }
  if (lines.size() > count) lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(count));
  return lines;
}

}  // namespace

asio::awaitable<void> VmRun::launch() {
  Prepared prepared = co_await prepare();
  if (auto* cause = std::get_if<protocol::Cause>(&prepared)) {
    fail_start(std::move(*cause));
    co_return;
  }
  auto spec = std::move(std::get<shim::ShimSpec>(prepared));
  auto spawned = co_await spawn(std::move(spec));
  if (!spawned) {
    fail_start(start_failed(spawned.error().message()));
    co_return;
  }
  note_shim(*spawned);
  begun_here_ = true;
  co_await follow(0);
}

asio::awaitable<Result<shim::ProcessIdentity>> VmRun::spawn(shim::ShimSpec spec) {
  const fault::Around around(fault::Step::spawn_shim);
  co_return co_await shim::spawn_shim(host_.shim_program(), std::move(spec));
}

void VmRun::note_shim(const shim::ProcessIdentity& shim) {
  const fault::Around around(fault::Step::note_shim);
  const shim::ShimNote note{number_, shim, shim::host_boot_id()};
  if (const auto noted = shim::write_shim_note(run_dir(), note); !noted)
    spdlog::warn("run.note_failed vm={} err=\"{}\"", id_.value(), noted.error().message());
}

/// A former daemon was told to start this run and ended before there was a shim: nothing of it has run.
bool VmRun::is_unbegun() const {
  const auto& run = owner_.run_state().run;
  if (!run || run->vmm || run->stop) return false;
  std::error_code ignored;
  if (std::filesystem::exists(shim::exit_record_path(log_dir().string()), ignored)) return false;
  const auto note = shim::read_shim_note(run_dir());
  if (note) return note->run != number_;           // the run before has left it
  return !std::filesystem::exists(shim::shim_socket_path(run_dir().string()), ignored);
}

/// Once: a start that ends daemons must not end them all.
bool VmRun::may_begin_again() const {
  const auto mark = log_dir() / "begun_again";
  std::error_code ignored;
  std::filesystem::create_directories(log_dir(), ignored);
  return !std::filesystem::exists(mark, ignored) && std::ofstream(mark).put('\n').flush().good();
}

asio::awaitable<void> VmRun::take_up() {
  if (is_unbegun() && may_begin_again()) {
    spdlog::info("run.begun_again vm={} run={} why=\"the daemon ended before it had started it\"", id_.value(), number_.value());
    co_return co_await launch();
  }
  user_ = adopt_run_user(host_, run_dir());
  std::error_code ignored;
  std::filesystem::create_directories(run_dir(),
                                      ignored);  // after a reboot of the host it is gone, and the run's logs still have to be read
  const auto& known = owner_.run_state().run;
  vmm_ = &host_.vmms.of_run(known && known->vmm ? known->vmm->vmm : "", spec_.vmm);
  if (vmm_->driver) control_socket_ = vmm_->driver->control_socket(run_dir().string());
  console_ = std::make_unique<RunConsole>(run_dir(), host_.clock);
  co_await follow(console_->read_to());
}

/// Not before the run is known to be adopted: a guest that dials at once would be up first, and down again by the adoption.
void VmRun::reopen_link() {
  auto image = host_.images.resolve(machine::image_reference(spec_));
  const auto opened = open_link(image ? &*image : nullptr);
  if (!opened) spdlog::error("run.link_not_opened vm={} err=\"{}\"", id_.value(), opened.error().message());
  doubt();  // its link may never come back
}

asio::awaitable<void> VmRun::follow(std::uint64_t console_offset) {
  auto attached = co_await shim::ShimConnection::attach(shim::shim_socket_path(run_dir().string()), console_offset);
  if (!attached) co_return co_await conclude_without_shim();
  shim_ = std::move(*attached);
  send_kill();
  console_heard_us_ = link_heard_us_ = host_.clock.mono_us();
  for (;;) {
    auto event = co_await shim_->next();
    if (!event) {
      if (stopping_) co_return;  // it is we who hung up
      spdlog::warn("run.shim_lost vm={} err=\"{}\"", id_.value(), event.error().message());
      co_return co_await conclude_without_shim();
    }
    if (const auto* status = std::get_if<shim::Status>(&*event); status != nullptr && !is_own(*status)) {
      spdlog::error("run.foreign_shim vm={} run={} found=\"{} run {}\"", id_.value(), number_.value(), status->instance.value(),
                    status->run.value());
      shim_->close();
      co_return co_await conclude_without_shim();
    }
    if (auto* ended = std::get_if<shim::Ended>(&*event)) {
      auto record = std::move(ended->record);
      co_return co_await conclude(std::move(record));
    }
    std::visit(
        Overloaded{[this](const shim::Status& status) { on_status(status); },
                   [this](const shim::VmmStarted& started) { on_vmm_running(started.vmm, started.device); },
                   [this](const shim::ConsoleBytes& bytes) { on_console(bytes.offset, bytes.bytes); },
                   [this](const shim::ConsoleLost& lost) { spdlog::warn("run.console_lost vm={} bytes={}", id_.value(), lost.bytes); },
                   [this](const shim::DeviceExited& device) { on_device_exited(device); },
                   [this](const shim::VmmHalted& vmm) { owner_.happened(machine::VmmHalted{vmm.halted}); },
                   [this](const shim::Dialled& dialled) { let_in(dialled.port, shim_->take_passed()); },
                   [](const shim::Answered&) {}, [](const shim::Ended&) {}},
        *event);
  }
}

/// A socket's path is no identity: who answers must be the shim of this run.
bool VmRun::is_own(const shim::Status& status) const { return status.instance == id_ && status.run == number_; }

void VmRun::on_status(const shim::Status& status) {
  shim_dials_ = status.dials;
  const auto& run = owner_.run_state().run;
  const bool is_adopted = run && run->vmm.has_value();
  if (!link_) {  // not this daemon has opened it
    if (is_adopted) owner_.happened(machine::Adopted{status.shim.pid});
    reopen_link();
  }
  if (!status.has_doors && link_) {
    if (const auto listening = listen_for_guest(); !listening)
      spdlog::error("run.link_not_opened vm={} err=\"{}\"", id_.value(), listening.error().message());
  }
  if (status.phase == shim::Phase::running) on_vmm_running(status.vmm, status.device);
}

/// The shim tells it to each daemon that attaches, and a run's device ends once.
void VmRun::on_device_exited(const shim::DeviceExited& device) {
  const auto& run = owner_.run_state().run;
  if (run && run->device_causes.empty()) owner_.happened(machine::DeviceExited{"vhost-device-vsock", device.exit});
}

/// Each VM's at most once in ten seconds: where descriptors run out, everybody dials.
void VmRun::tell_dial_lost(std::uint32_t port) {
  constexpr MonoUs quiet_us = 10'000'000;
  const auto now = host_.clock.mono_us();
  if (dial_lost_us_ != 0 && now - dial_lost_us_ < quiet_us) return;
  dial_lost_us_ = now;
  spdlog::error("run.dial_lost vm={} port={} err=\"no free descriptor; the guest dials again\"", id_.value(), port);
}

/// The guest has dialled its host.
void VmRun::let_in(std::uint32_t port, UniqueFd connection) {
  if (!connection) return tell_dial_lost(port);
  if (has_left(connection.get())) return;  // while it waited for us; it dials again
  if (port == protocol::link_port && link_) link_->admit(std::move(connection));
  if (port == protocol::egress_port && egress_) egress_->admit(std::move(connection));
}

void VmRun::tell_started(const shim::ProcessIdentity& vmm, const shim::ProcessIdentity& device) {
  const auto& run = owner_.run_state().run;
  const bool is_known = run && run->vmm;  // a former daemon told it
  if (std::exchange(vmm_told_, true) || is_known) return;
  machine::VmmStarted started;
  started.accelerator = host_.accelerator.accelerator;
  started.why = host_.accelerator.why;
  started.vmm = vmm_->driver ? vmm_->driver->name() : "";
  started.vmm_version = vmm_->version;
  started.vmm_pid = vmm.pid;
  started.device_pid = device.pid;
  if (const auto note = shim::read_shim_note(run_dir())) started.shim_pid = note->shim.pid;
  started.cid = vmm::VmSpec{}.cid;
  owner_.happened(std::move(started));
}

void VmRun::on_vmm_running(const shim::ProcessIdentity& vmm, const shim::ProcessIdentity& device) {
  tell_started(vmm, device);
  send_kill();
  if (!std::exchange(vmm_runs_, true)) tasks_.spawn("run.control", [this] { return boot_guest(); });
}

/// Of a VMM that boots its guest by itself this learns the version, once. (Not of those that are adopted: a daemon that starts would dial thousands.)
asio::awaitable<void> VmRun::boot_guest() {
  if (!vmm_->driver) co_return;
  if (vmm_->driver->boots_by_itself() && (!vmm_->version.empty() || !begun_here_)) co_return;
  const bool waits_for_orders = !boot_.requests.empty();
  const VmmOrder order = [this](vmm::RunningVm& vm) { return give_boot_orders(&vm); };
  auto asking = with_vmm(order);
  const auto reached = co_await std::move(asking);
  if (reached) co_return;
  spdlog::warn("run.control_failed vm={} err=\"{}\"", id_.value(), reached.error().message());
  if (waits_for_orders) give_up_start(start_failed(reached.error().message()));
}

asio::awaitable<Result<void>> VmRun::give_boot_orders(vmm::RunningVm* vm) {
  vmm_->version = vm->version();
  auto orders = std::exchange(boot_, {});
  auto refused = co_await vm->boot(std::move(orders));
  if (refused) give_up_start(std::move(*refused));
  co_return Result<void>();
}

/// The VMM's control is dialled for an order and hung up after it: between orders a VM costs no connection. Why it ended is in its log.
asio::awaitable<Result<void>> VmRun::with_vmm(VmmOrder order) {
  if (!vmm_->driver || !vmm_runs_) co_return Error(Errc::unavailable, "the VMM does not run");
  auto connecting = connect();
  CO_TRY(vm, co_await std::move(connecting));
  std::exception_ptr cancelled;
  Result<void> done;
  try {
    done = co_await order(*vm);
  } catch (...) { cancelled = std::current_exception(); }
  if (cancelled) co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  co_await vm->stop();
  if (cancelled) std::rethrow_exception(cancelled);
  co_return done;
}

asio::awaitable<Result<std::unique_ptr<vmm::RunningVm>>> VmRun::connect() {
  const fault::Around around(fault::Step::connect_vmm);
  vmm::OnVmmEvent nobody_listens = [](const vmm::VmmEvent&) {};
  co_return co_await vmm_->driver->connect(control_socket_, std::move(nobody_listens));
}

void VmRun::give_up_start(protocol::Cause cause) {
  start_cause_ = std::move(cause);
  kill(SIGKILL, "it could not be started: " + protocol::sentence(*start_cause_));
}

void VmRun::on_console(std::uint64_t offset, std::string_view bytes) {
  console_heard_us_ = host_.clock.mono_us();
  tell(console_->feed(offset, bytes, owner_.run_state()));
  if (console_->open() && !std::exchange(flushes_console_, true)) tasks_.spawn("run.console_flush", [this] { return flush_console(); });
}

asio::awaitable<void> VmRun::flush_console() {
  while (console_->open()) {
    co_await pause(console::flush_after);
    tell(console_->flush());
  }
  flushes_console_ = false;
}

/// The end, with everything read that led to it: first the link and the console to their ends, then what the VMM said, then the event that closes the run.
asio::awaitable<void> VmRun::conclude(shim::ExitRecord record) {
  if (record.vmm.pid == 0 || !record.start_error.empty()) {
    const auto reason = record.start_error.empty() ? std::string("it ended before it ran") : record.start_error;
    fail_start(start_failed(reason, last_lines(record.log_tail, max_last_words)));
    co_return;
  }
  tell_started(record.vmm, record.device);
  if (link_) co_await link_->drained(link_drain);
  if (logs_) co_await logs_->drained(log_drain);
  tell(console_->finish());
  auto last_words = words_at_end(record);
  if (start_cause_) {
    start_cause_->evidence.insert(start_cause_->evidence.end(), last_words.begin(), last_words.end());
    fail_start(*start_cause_);
    co_return;
  }
  machine::VmmExited exited;
  exited.exit = record.exit;
  exited.reason = record.host_oom ? "host-oom" : end_reason(record.exit);
  exited.ended_unix_us = record.ended_unix_us;
  exited.user_us = record.usage.user_us;
  exited.system_us = record.usage.system_us;
  exited.max_rss_kib = record.usage.max_rss_kib;
  exited.last_words = std::move(last_words);
  spdlog::info("run.ended vm={} run={} exit=\"{}\" reason={}", id_.value(), number_.value(), protocol::to_text(exited.exit), exited.reason);
  owner_.happened(std::move(exited));
}

std::vector<std::string> VmRun::words_at_end(const shim::ExitRecord& record) const {
  auto words = last_lines(record.log_tail, max_last_words);
  const bool killed_by_us = start_cause_.has_value();
  const auto explained = vmm_->driver && !killed_by_us ? vmm_->driver->explain(record.exit) : std::string();
  if (!explained.empty()) words.insert(words.begin(), explained);
  return words;
}

std::string VmRun::end_reason(const protocol::ExitStatus& exit) const {
  if (!vmm_->driver) return "";
  const auto log = shim::read_kept(shim::vmm_log_path(log_dir().string()), shim::vmm_log_caps);
  if (!log) return "";
  return vmm_->driver->shutdown_reason(log->tail.empty() ? log->head : log->tail, exit);
}

/// No shim answers: it has written exit.json, is about to, or was killed and nobody knows how the VMM ended.
asio::awaitable<void> VmRun::conclude_without_shim() {
  const auto note = shim::read_shim_note(run_dir());
  const auto path = shim::exit_record_path(log_dir().string());
  auto record = shim::read_exit_record(path);
  for (int step = 0; !record && note && shim::is_alive(note->shim, note->boot_id) && step < shim_end_steps; ++step) {
    co_await pause(shim_end_step);
    record = shim::read_exit_record(path);
  }
  if (!record) record = shim::read_exit_record(path);  // it may have been written while we looked at the shim
  co_await read_rest_of_console();
  if (record) {
    const shim::ExitRecord found = *record;
    co_return co_await conclude(found);
  }
  const auto& run = owner_.run_state().run;
  if (run && !run->vmm) {
    fail_start(start_failed("the daemon ended while it was starting this run"));
    co_return;
  }
  tell(console_->finish());
  const std::string reason = "the run's shim is gone and has not recorded its end: " + record.error().message();
  spdlog::warn("run.shim_gone vm={} run={} err=\"{}\"", id_.value(), number_.value(), record.error().message());
  owner_.happened(machine::ShimLost{reason});
}

/// What the console said while no daemon listened is in the file; every byte stands at its true offset there.
asio::awaitable<void> VmRun::read_rest_of_console() {
  const auto path = shim::console_log_path(log_dir().string());
  std::error_code failure;
  const auto size = std::filesystem::file_size(path, failure);
  if (failure || !console_) co_return;
  const auto gap = shim::gap_of(size, shim::console_caps);
  std::uint64_t at = console_->read_to();
  if (at >= gap.head_end && at < gap.tail_begin) at = gap.tail_begin;
  std::ifstream file(path, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(at));
  std::vector<char> chunk(64 << 10);
  while (file.read(chunk.data(), static_cast<std::streamsize>(chunk.size())), file.gcount() > 0) {
    const auto got = static_cast<std::size_t>(file.gcount());
    on_console(at, std::string_view(chunk.data(), got));
    at += got;
  }
}

}  // namespace vigil::daemon
