#include "host/daemon/daemon.hpp"

#include "host/api/context.hpp"
#include "host/async/blocking.hpp"
#include "host/cgroup/leaf.hpp"
#include "host/daemon/doors.hpp"
#include "host/daemon/policy_watch.hpp"
#include "host/daemon/readiness.hpp"
#include "host/daemon/reconciler.hpp"
#include "host/daemon/service_notice.hpp"
#include "host/daemon/session_vms.hpp"
#include "host/daemon/state_lock.hpp"
#include "host/daemon/vm_registry.hpp"
#include "host/desktop/server.hpp"
#include "host/http/server.hpp"
#include "host/ports/server.hpp"
#include "host/sessions/sessions.hpp"
#include "host/vmm/driver_factory.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <spdlog/spdlog.h>

#include <grp.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace vigil::daemon {

namespace asio = boost::asio;

namespace {

/// Directory of this program: its companions are beside it.
std::string program_dir() {
    std::error_code ignored;
    return std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path().string();
}

Result<void> share_socket(const Options& options, const std::string& path) {
    if (options.socket_group.empty()) return {};
    const group* found = ::getgrnam(options.socket_group.c_str());
    if (found == nullptr) return Error(Errc::not_found, "there is no group " + options.socket_group);
    if (::chown(path.c_str(), static_cast<uid_t>(-1), found->gr_gid) != 0) return Error::from_errno("chown " + path, errno);
    return {};
}

/// "7.2.22" of "QEMU emulator version 7.2.22 (Debian ...)"; empty when it does not say.
std::string version_of(const std::string& program) {
    using Pipe = std::unique_ptr<FILE, int (*)(FILE*)>;
    const Pipe output(::popen(("'" + program + "' --version </dev/null 2>/dev/null").c_str(), "re"), &::pclose);
    char line[256] = {};
    if (!output || std::fgets(line, sizeof(line), output.get()) == nullptr) return "";
    const std::string text(line);
    constexpr std::string_view mark = "version ";
    const auto begin = text.find(mark);
    if (begin == text.npos) return "";
    return text.substr(begin + mark.size(), text.find_first_of(" (\n", begin + mark.size()) - begin - mark.size());
}

constexpr std::chrono::milliseconds max_default_wait{120'000};   // under TCG ten times the usual would be longer than clients are patient

ports::ServerOptions ports_options(const Options& options, protocol::Accelerator accelerator) {
    ports::ServerOptions made{options.places.ports_socket().string(), options.socket_mode, options.ports_listen, {}};
    made.limits.default_wait = std::min(made.limits.default_wait * protocol::deadline_scale(accelerator), max_default_wait);
    return made;
}

/// noVNC lies beside the program in a source tree; of a program in PREFIX/libexec/vigil it is in PREFIX/share/vigil.
desktop::ServerOptions desktop_options(const Options& options, const std::string& beside) {
    std::error_code ignored;
    const auto own = std::filesystem::path(beside) / "novnc";
    const auto installed = std::filesystem::path(beside).parent_path().parent_path() / "share/vigil/novnc";
    return {options.desktop_listen, options.places.desktop_key().string(), (std::filesystem::exists(own, ignored) ? own : installed).string(), {}};
}

/// Best effort: without it VMs run all the same, in no groups of their own.
void enter_own_group() {
    const auto leaf = cgroup::enter_leaf();
    if (!leaf) return spdlog::warn("daemon.no_leaf err=\"{}\"", leaf.error().message());
    if (leaf->state == cgroup::LeafState::not_delegated) return;
    std::string controllers;
    for (const auto& each : leaf->controllers) controllers += (controllers.empty() ? "" : ",") + each;
    spdlog::info("daemon.group delegated={} leaf={} controllers={}", leaf->path, cgroup::leaf_name, controllers.empty() ? "none" : controllers);
}

vault::VaultPlaces vault_places(const Options& options) {
    const char* const credentials = std::getenv("CREDENTIALS_DIRECTORY");
    return {options.places.vault().string(), {options.vault_key, credentials == nullptr ? "" : credentials, options.places.master_key()}, options.vault_old_key};
}

class Daemon {
  public:
    Daemon(const Options& options, Doors doors, const systemd::Notifier& notifier, std::unique_ptr<store::Store> store)
        : options_(options),
          doors_(std::move(doors)),
          pool_(1),
          store_(std::move(store)),
          bus_(events::replay_from(*store_), store_->newest_seq()),
          host_{io_, pool_, clock_, options.places, images::ImageStore(options.places.images()), program_dir(), vmm::detect_accelerator(), {}, {}, {}, nullptr, options.log_limits},
          pipeline_(io_, *store_, bus_),
          registry_(host_, pipeline_, *store_),
          reconciler_(host_, registry_, *store_, bus_, options.reconcile_every),
          policy_watch_(host_, registry_),
          relays_(io_.get_executor()),
          ports_(io_, registry_, bus_, ports_options(options_, host_.accelerator.accelerator)),
          desktops_(io_, registry_, bus_, clock_, desktop_options(options_, host_.program_dir)),
          gate_(*store_, clock_, ::geteuid()),
          expiry_(io_.get_executor(), [this] { gate_.end_expired(); }),
          vault_(vault_places(options), clock_),
          session_vms_(registry_),
          sessions_(io_, clock_, session_vms_, vault_, bus_, options.places.sessions().string(), static_cast<std::uint32_t>(protocol::deadline_scale(host_.accelerator.accelerator))),
          server_(io_, http::Router(api::make_routes({registry_, host_.images, *store_, bus_, relays_, &ports_, &outside_.counters, &gate_, store_.get(), &sessions_, &vault_, &desktops_})),
                  {options_.places.socket, options_.socket_mode, {}, options_.listen, [this](const http::Request& head) { return gate_.refuse_stranger(head); }}),
          notice_(io_.get_executor(), notifier, [this] { return registry_.in_words(); }),
          signals_(io_, SIGTERM, SIGINT),
          tasks_(io_.get_executor()) {}

    Result<void> run() {
        outside_.credentials_dir = options_.places.egress_credentials().string();
        host_.outside = &outside_;
        host_.vmms.preferred = options_.vmm;
        find_vmms(host_.vmms, host_.program_dir);
        host_.shelf = std::make_unique<blackbox::Shelf>(io_.get_executor(), pool_, options_.places.blackboxes(), options_.places.run / "opened", options_.keep_limits);
        pipeline_.observe_by([this](const machine::VmState& state, const machine::VmEvent& event) {
            host_.metrics.observe(state, event);
            policy_watch_.happened(event);
        });
        gate_.arm_by([this](std::optional<UnixUs> next) { expiry_.set(next); });
        TRY_VOID(registry_.load());
        // VMs do not wait for a vault that is damaged: its routes say what is wrong with it.
        if (const auto opened = vault_.open(); !opened) spdlog::error("vault.refused err=\"{}\"", opened.error().message());
        sessions_.load();
        if (auto listening = open_doors(); !listening) return close(listening.error());
        spdlog::info("daemon.listening what=api address=unix:{}", options_.places.socket);
        if (!server_.tcp_address().empty()) spdlog::info("daemon.listening what=api address=http://{}", server_.tcp_address());
        spdlog::info("daemon.listening what=ports address=unix:{}", ports_.socket_path());
        if (!ports_.tcp_address().empty()) spdlog::info("daemon.listening what=ports address=http://{}", ports_.tcp_address());
        spdlog::info("daemon.ready pid={} socket={} state={} accelerator={} why=\"{}\"", ::getpid(), options_.places.socket, options_.places.state.string(),
                     to_text(host_.accelerator.accelerator), host_.accelerator.why);
        if (!desktops_.address().empty())
            spdlog::info("daemon.listening what=desktop address=http://ID.localhost{} novnc={}", desktops_.address().substr(desktops_.address().rfind(':')), desktops_.has_novnc());
        announce_ready(options_.ready_fd);
        notice_.ready();
        reconciler_.start();
        policy_watch_.start();
        tasks_.spawn("daemon.vmm_version", [this] { return learn_vmm_version(); });
        signals_.async_wait([this](boost::system::error_code failure, int signal) {
            if (failure) return;
            spdlog::info("daemon.stopping signal={}", signal);
            notice_.stopping();
            begin_stop();
        });
        io_.run();
        return {};
    }

  private:
    /// A socket that was passed has the mode and the group that its unit gave it.
    Result<void> open_doors() {
        const bool api_is_ours = !doors_.api, ports_are_ours = !doors_.ports;
        TRY_VOID(server_.listen(std::move(doors_.api)));
        TRY_VOID(ports_.listen(std::move(doors_.ports)));
        if (const auto open = desktops_.listen(); !open) return open.error().with_context("--desktop-listen");
        if (api_is_ours) TRY_VOID(share_socket(options_, options_.places.socket));
        if (ports_are_ours) TRY_VOID(share_socket(options_, ports_.socket_path()));
        return {};
    }

    /// Ends what load() may have begun.
    Error close(Error error) {
        begin_stop();
        io_.run();
        return error;
    }

    void begin_stop() {
        asio::co_spawn(io_, stop(), [this](std::exception_ptr failure) {
            if (failure) spdlog::error("daemon.stop_failed");
            signals_.cancel();
            io_.stop();
        });
    }

    /// In the background: it takes QEMU 50 ms to say it, and until a VM is started nobody asks.
    asio::awaitable<void> learn_vmm_version() {
        const auto programs = vmm::find_programs(host_.program_dir);
        if (!programs) co_return;
        const std::function<std::string()> ask = [program = programs->qemu] { return version_of(program); };
        auto version = co_await async::run_blocking<std::string>(pool_, ask);
        if (host_.vmms.qemu.version.empty()) host_.vmms.qemu.version = std::move(version);
    }

    asio::awaitable<void> stop() {
        co_await notice_.stop();
        co_await tasks_.stop();
        co_await server_.stop();
        co_await desktops_.stop();
        co_await ports_.stop();
        co_await relays_.stop();
        policy_watch_.stop();
        co_await sessions_.stop();
        co_await reconciler_.stop();
        co_await registry_.stop();
        if (host_.shelf) co_await host_.shelf->stop();
    }

    const Options& options_;
    Doors doors_;
    asio::io_context io_{1};
    asio::thread_pool pool_;
    SystemClock clock_;
    std::unique_ptr<store::Store> store_;
    events::EventBus bus_;
    egress::Outside outside_;
    RunHost host_;
    EventPipeline pipeline_;
    VmRegistry registry_;
    Reconciler reconciler_;
    PolicyWatch policy_watch_;
    streams::Relays relays_;
    ports::Server ports_;
    desktop::Server desktops_;
    access::Gate gate_;
    async::WallTimer expiry_;               // of the tokens by whose right something goes on
    vault::Vault vault_;
    SessionVms session_vms_;
    sessions::Sessions sessions_;
    http::Server server_;
    ServiceNotice notice_;
    asio::signal_set signals_;
    async::TaskGroup tasks_;
};

}  // namespace

Result<void> run_daemon(const Options& given) {
    auto options = given;
    const auto notifier = systemd::Notifier::take_from_environment();
    TRY(doors, take_doors(options.places));
    enter_own_group();
    TRY_VOID(prepare_places(options.places));
    const auto lock = lock_state(options.places.lock());
    if (!lock) return lock.error();
    const auto run_lock = lock_state(options.places.run_lock());   // what lies in it is one daemon's: another's runs would look like leftovers
    if (!run_lock) return run_lock.error();
    (void)notifier.tell("STATUS=opening the database");
    auto store = store::Store::open(options.places.database().string());
    if (!store) return store.error().with_context("open the database");
    Daemon daemon(options, std::move(doors), notifier, std::move(*store));
    return daemon.run();
}

}  // namespace vigil::daemon
