// Real sessions, vault, log and event bus; in place of VMs a guest that speaks the streams of shared/streams as an agent does.
#pragma once

#include "host/async/task_group.hpp"
#include "host/sessions/sessions.hpp"
#include "host/store/store.hpp"
#include "shared/framing/frame.hpp"
#include "shared/signin/sha256.hpp"
#include "shared/streams/chunk.hpp"
#include "shared/streams/control.hpp"
#include "shared/streams/opening.hpp"
#include "tests/unit/host/result_text.hpp"
#include "tests/unit/host/store/scratch.hpp"

#include <boost/asio/co_spawn.hpp>

#include <catch2/catch_test_macros.hpp>

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace vigil::sessions::test {

using protocol::SigninReport;
using Step = SigninReport::Step;

inline const std::string a_credential =
    R"({"OPENAI_API_KEY":null,"tokens":{"id_token":"canary-id","access_token":"canary-access","refresh_token":"canary-refresh","account_id":"a"},"last_refresh":"2026-01-01"})";

/// One end of a stream that is open, as the guest sees it.
struct OpenStream {
  std::string op;
  UniqueFd guest;
};

class GuestDouble final : public Vms {
public:
  Result<InstanceId> make(const std::string&, const std::string&, const std::string& session) override {
    done.push_back("make " + session);
    return browser_vm;
  }
  Result<InstanceId> make_cli(const std::string&, const std::string&, const std::string& user, const std::string&) override {
    done.push_back("make_cli " + user);
    if (refuses.contains("make_cli")) return refuses.at("make_cli");
    return cli_vm;
  }
  void remove(const InstanceId& id, const std::string& rule, std::function<void(Result<void>)> answer) override {
    done.push_back("remove " + id.value() + " by " + rule);
    answer({});
  }
  std::shared_ptr<const void> use(const InstanceId& id, const std::string& session) override {
    const auto who = session + " needs " + id.value();
    ++needed[who];
    const auto end = [this, who](const void*) { --needed[who]; };
    return std::shared_ptr<const void>(static_cast<const void*>(this), end);
  }
  bool is_in_use(const InstanceId& id) const override { return in_use.contains(id); }
  const machine::VmState* state_of(const InstanceId& id) const override { return id == cli_vm ? &cli_state : &state; }
  void open_stream(const InstanceId& id, std::string opening, std::function<void(Result<streams::GuestStream>)> answer) override {
    const auto decoded = streams::decode_opening(opening);
    REQUIRE(decoded);
    const std::string op(streams::op_of(*decoded));
    done.push_back(op + " " + id.value());
    if (refuses.contains(op)) return answer(refuses.at(op));
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    streams::GuestStream stream;
    stream.fd.reset(ends[0]);
    UniqueFd guest(ends[1]);
    std::string said;
    if (op == "signin.take") {
      streams::append_chunks(said, streams::Channel::data, credential);
      streams::append_end(said, streams::Channel::data);
      put_control(said, streams::Done{counted.value_or(credential.size())});
    } else if (op == "exec") {
      const auto& argv = std::get<streams::ExecOpening>(*decoded).argv;
      const bool asks_home = argv.front() == "/bin/sh";
      if (asks_home) streams::append_chunks(said, streams::Channel::out, has_file ? "/home/agent\nthere\n" : "/home/agent\n");
      put_control(said, streams::Exit{protocol::ExitCode{asks_home ? 0 : check_exit}});
    } else if (op == "file.write") {
      written_to = std::get<streams::FileWriteOpening>(*decoded).path;
      put_control(said, streams::Done{a_credential.size()});
    }
    const auto unread = std::min(said.size(), answer_carries);
    stream.unread = said.substr(0, unread);
    REQUIRE(::write(guest.get(), said.data() + unread, said.size() - unread) == static_cast<ssize_t>(said.size() - unread));
    open.push_back({op, std::move(guest)});
    answer(std::move(stream));
  }
  static void put_control(std::string& said, const streams::Control& control) {
    streams::append_chunks(said, streams::Channel::control, streams::encode(control));
    streams::append_end(said, streams::Channel::control);
  }
  bool has_done(const std::string& what) const { return std::ranges::find(done, what) != done.end(); }
  bool has_done_like(const std::string& what) const {
    return std::ranges::any_of(done, [&](const std::string& each) { return each.starts_with(what); });
  }
  /// What the host wrote into the newest stream of this op.
  std::string written_by_host(const std::string& op) {
    std::string all(200'000, '\0');
    for (auto& stream : open)
      if (stream.op == op) all.resize(static_cast<std::size_t>(std::max<ssize_t>(0, ::read(stream.guest.get(), all.data(), all.size()))));
    return all;
  }

  const InstanceId browser_vm{"vm-000000000b"}, cli_vm{"vm-000000000c"};
  std::vector<std::string> done;
  std::vector<OpenStream> open;
  std::map<std::string, int> needed;  // "SESSION needs VM"
  std::set<InstanceId> in_use;
  std::map<std::string, Error> refuses;
  std::string credential = a_credential, written_to;
  std::optional<std::uint64_t> counted;
  std::size_t answer_carries = 100;   // bytes that come with the guest's answer
  int check_exit = 0;
  bool has_file = false;              // the CLI VM has a credential already
  machine::VmState state, cli_state;  // it boots; it is ready
};

struct Scene {
  vigil::test::Scratch scratch;
  SystemClock clock;
  boost::asio::io_context io;
  std::unique_ptr<store::Store> store = std::move(*store::Store::open(scratch / "vigil.db"));
  events::EventBus bus{events::replay_from(*store), 0};
  GuestDouble guest;
  vault::Vault vault{{scratch / "vault.db", {"", "", scratch / "master.key"}, ""}, clock};
  std::unique_ptr<Sessions> sessions;
  Seq reports = 0;
  const vault::EntryKey alice{"", "alice", "codex"};

  Scene() {
    guest.state.run.emplace();   // it boots
    guest.cli_state.run.emplace();
    guest.cli_state.run->all_services_known = true;   // and has none that is not ready
    for (const auto& vm : {guest.browser_vm, guest.cli_vm}) {
      machine::InstanceSpec spec;
      spec.name = InstanceName("n" + vm.value().substr(3));
      tell(vm, machine::Created{spec}, 0);
      tell(vm, machine::StartRequested{"me", {}});
    }
    begin_daemon();
  }
  ~Scene() { end_daemon(); }

  void begin_daemon() {
    sessions = std::make_unique<Sessions>(io, clock, guest, vault, bus, scratch / "sessions.db", 1);
    sessions->load();
    turn();
  }
  void end_daemon() {
    if (!sessions) return;
    boost::asio::co_spawn(io, sessions->stop(), [](std::exception_ptr) {});
    turn();
    sessions.reset();
  }
  /// Everything that can go on without time passing.
  void turn() {
    io.restart();
    while (io.poll() != 0) {}
  }
  void tell(const InstanceId& vm, machine::EventBody body, std::uint32_t run = 1) {
    machine::VmEvent event{0, vm, RunNumber(run), clock.unix_us(), clock.mono_us(), std::move(body)};
    auto batch = store->begin();
    REQUIRE(batch.add(event).kind == store::Admission::Kind::accepted);
    REQUIRE(batch.commit());
    bus.publish(batch.encoded());
    if (sessions) turn();
  }
  void vm_is(protocol::RunState state, const InstanceId& vm, std::optional<protocol::Cause> cause = {}) {
    machine::StateChanged changed;
    changed.state = state;
    changed.cause = std::move(cause);
    tell(vm, changed);
  }
  void report(SigninReport signin, const InstanceId& vm) {
    protocol::Report report;
    report.boot = BootId("6f1d2c3b-4a59-4687-9a8b-7c6d5e4f3a2b");
    report.seq = ++reports;
    report.body = std::move(signin);
    machine::Reported reported;
    reported.report = std::move(report);
    tell(vm, std::move(reported));
  }
  void step(const std::string& session, Step step) { report(a_report(session, step), guest.browser_vm); }
  SigninReport a_report(const std::string& session, Step step) const {
    SigninReport signin;
    signin.session = SigninSessionId(session);
    signin.provider = "codex";
    signin.step = step;
    if (step == Step::url_found)
      signin.private_url = "https://auth.openai.com/oauth/authorize?client_id=a&response_type=code&redirect_uri=b&state=c&code_challenge=d";
    if (step == Step::credential_found)
      signin.credential = protocol::SigninCredential{"codex/1", signin::sha256_hex(a_credential), a_credential.size()};
    if (step == Step::failed) signin.cause = protocol::make_cause(protocol::CauseCode::signin_cli_exited);
    return signin;
  }
  Opened order(bool with_cli_vm = true) const {
    Opened order;
    order.user = "alice";
    order.provider = signin::Provider::codex;
    order.vm_spec = "{}";
    order.guest_user = order.cli_user = "agent";
    order.actor = "me";
    if (with_cli_vm) order.cli_vm = guest.cli_vm;
    return order;
  }
  std::string begin(bool with_cli_vm = true) {
    const auto id = sessions->open(order(with_cli_vm));
    REQUIRE(id);
    turn();
    return *id;
  }
  const Session& session(const std::string& id) const { return **sessions->find(id); }
  void sign_in_until_found(const std::string& id) {
    vm_is(protocol::RunState::ready, guest.browser_vm);
    for (const auto each : {Step::cli_started, Step::url_found, Step::callback_seen, Step::credential_found}) step(id, each);
  }
};

}  // namespace vigil::sessions::test
