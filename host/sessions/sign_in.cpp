// The work of a session, one coroutine each; every one ends with an event.
#include "host/sessions/credential_stream.hpp"
#include "host/sessions/sessions.hpp"

#include "host/async/deadline.hpp"
#include "host/async/notification.hpp"
#include "host/machine/derive.hpp"
#include "shared/base/encoding.hpp"
#include "shared/signin/credential.hpp"
#include "shared/streams/chunk.hpp"
#include "shared/streams/control.hpp"
#include "shared/streams/opening.hpp"

#include <spdlog/spdlog.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <array>

namespace vigil::sessions {

namespace asio = boost::asio;
using protocol::CauseCode;
using protocol::make_cause;

namespace {

constexpr std::chrono::seconds between_tries{1}, report_follows{10};
constexpr int max_tries = 5;

protocol::Cause not_started(const Error& error) { return make_cause(CauseCode::signin_not_started, {{"reason", error.message()}}); }

/// A tool of a shape that is not known is named by its own cause; else why the vault has it not.
protocol::Cause not_stored(const Error& error) {
  if (error.code() == Errc::unsupported) return make_cause(CauseCode::signin_credential_unknown_shape, {{"fields", error.message()}});
  return make_cause(CauseCode::signin_not_stored, {{"reason", error.message()}});
}

bool may_help_again(const Error& error) {
  return error.code() == Errc::unavailable || error.code() == Errc::timeout || error.message().find("host.disk_full") != std::string::npos;
}

/// Until the guest's last word, or the end of the stream: what the CLI shows is not looked at.
asio::awaitable<Result<void>> drain(streams::GuestStream stream) {
  auto executor = co_await asio::this_coro::executor;
  asio::local::stream_protocol::socket socket(executor);
  socket.assign(asio::local::stream_protocol(), stream.fd.release());
  streams::ChunkReader chunks;
  chunks.feed(stream.unread);
  std::array<char, 16384> block{};
  for (;;) {
    CO_TRY(chunk, chunks.next());
    if (chunk && chunk->channel == streams::Channel::control) {
      if (chunk->is_end()) co_return Result<void>();
      const auto message = streams::decode_control(chunk->bytes);
      const auto* const problem = message ? std::get_if<streams::Problem>(&*message) : nullptr;
      if (problem != nullptr) co_return Error(problem->code, problem->detail);
    }
    if (chunk) continue;
    auto got = co_await socket.async_read_some(asio::buffer(block), asio::as_tuple(asio::use_awaitable));
    if (std::get<0>(got)) co_return Error(Errc::unavailable, "the stream of the sign-in broke");
    chunks.feed({block.data(), std::get<1>(got)});
  }
}

/// The bytes are what the guest has reported, and fit the provider.
Result<void> check_bytes(const Session& session, const vault::Secret& credential) {
  const auto checked = signin::check_credential(session.order.provider, credential.view());
  if (const auto* const problem = std::get_if<signin::CredentialProblem>(&checked)) {
    const auto code = problem->fault == signin::CredentialFault::missing_fields ? Errc::unsupported : Errc::invalid;
    return Error(code, "it " + signin::why_not(*problem));
  }
  const auto& facts = std::get<signin::CredentialFacts>(checked);
  const bool is_what_was_found = session.found && session.found->sha256 == facts.sha256 && session.found->bytes == facts.bytes;
  return is_what_was_found ? Result<void>() : Error(Errc::invalid, "it is not the one that the guest has reported");
}

}  // namespace

asio::awaitable<void> Sessions::pause(std::chrono::milliseconds time) {
  asio::steady_timer timer(io_, time);
  co_await timer.async_wait(asio::use_awaitable);
}

/// A full disk may have room again; the session's own deadline ends this.
asio::awaitable<void> Sessions::record_surely(std::string id, EventBody body) {
  for (;;) {
    auto* const entry = entry_of(id);
    if (entry == nullptr) co_return;
    const auto recorded = record(*entry, body);
    if (recorded) co_return;
    spdlog::error("session.not_recorded session={} err=\"{}\"", id, recorded.error().message());
    co_await pause(between_tries);
  }
}

asio::awaitable<void> Sessions::make_vm(std::string id) {
  const auto* const entry = entry_of(id);
  if (entry == nullptr) co_return;
  const auto seq = bus_.last();
  const auto made = vms_.make(entry->session.order.vm_spec, entry->session.order.owner, id);
  EventBody told = VmGiven{made ? *made : InstanceId(), Ownership::made, seq};
  if (!made) told = Broken{not_started(made.error())};
  co_await record_surely(id, std::move(told));
}

asio::awaitable<void> Sessions::run_cli(std::string id, std::uint32_t attempt) {
  const auto* entry = entry_of(id);
  if (entry == nullptr || entry->session.attempt != attempt || !entry->session.vm) co_return;
  const auto& order = entry->session.order;
  streams::SigninRunOpening opening;
  opening.session = guest_name(entry->session);
  opening.provider = vigil::to_text(order.provider);
  opening.user = order.guest_user;
  opening.deadline_s = order.patience.max_age_s;   // ours ends it, and says by which rule
  const auto vm = *entry->session.vm;
  auto stream = co_await delivery_.open(vm, streams::encode(opening));
  if (!stream) {
    EventBody told = Broken{not_started(stream.error())};
    co_await record_surely(id, std::move(told));
    co_return;
  }
  auto ended = co_await drain(std::move(*stream));
  entry = entry_of(id);
  const bool is_known = entry == nullptr || entry->session.attempt != attempt || work_of(entry->session) != Work::run_cli;
  if (is_known) co_return;
  co_await pause(report_follows * scale_);   // the report says more than the stream
  const Error error = ended ? Error(Errc::protocol, "the guest ended the sign-in without a report") : ended.error();
  entry = entry_of(id);
  if (entry == nullptr || entry->session.attempt != attempt || work_of(entry->session) != Work::run_cli) co_return;
  EventBody told = Broken{not_started(error)};
  co_await record_surely(id, std::move(told));
}

asio::awaitable<Result<Stored>> Sessions::take_into_vault(std::string id) {
  const auto* entry = entry_of(id);
  if (entry == nullptr || !entry->session.vm) co_return Error(Errc::not_found, "the session is gone");
  const auto vm = *entry->session.vm;
  const streams::SigninTakeOpening opening{guest_name(entry->session)};
  auto stream = co_await delivery_.open(vm, streams::encode(opening));
  if (!stream) co_return stream.error();
  auto work = receive_credential(std::move(*stream), signin::provider_row(entry->session.order.provider).max_credential_bytes);
  auto credential = co_await async::with_deadline(std::move(work), std::chrono::seconds(20) * scale_, "take the credential");
  if (!credential) co_return credential.error();
  entry = entry_of(id);
  if (entry == nullptr || entry->session.state != State::storing) co_return Error(Errc::conflict, "the session has ended meanwhile");
  const auto& session = entry->session;
  CO_TRY_VOID(checked, check_bytes(session, *credential));
  const vault::EntryKey of{session.order.owner, session.order.user, std::string(vigil::to_text(session.order.provider))};
  const vault::Vault::Origin origin{session.found->schema, id};
  auto put = vault_.put(of, *credential, origin, "session " + id);
  if (!put) co_return put.error();
  Stored stored{put->version, put->bytes, put->sha256, put->shape};
  co_return std::move(stored);
}

asio::awaitable<void> Sessions::store(std::string id) {
  for (int tries = 1;; ++tries) {
    auto stored = co_await take_into_vault(id);
    if (!stored && may_help_again(stored.error()) && tries < max_tries) {
      co_await pause(between_tries);
      continue;
    }
    EventBody told = Broken{};
    if (stored)
      told = std::move(*stored);
    else
      told = Broken{not_stored(stored.error())};
    co_await record_surely(id, std::move(told));
    co_return;
  }
}

/// A VM that was there before stays, and would keep what it is not told to forget: it is told again when it did not hear.
asio::awaitable<Forgotten> Sessions::tell_to_forget(InstanceId vm, std::string guest_session, std::string sha256) {
  const streams::SigninForgetOpening opening{guest_session, sha256};
  Forgotten forgotten;
  for (int tries = 1;; ++tries) {
    auto told = co_await delivery_.open(vm, streams::encode(opening));
    if (told || told.error().code() == Errc::not_found) co_return std::move(forgotten);
    forgotten.problem = told.error().message();
    if (!may_help_again(told.error()) || tries >= max_tries) co_return std::move(forgotten);
    co_await pause(between_tries);
    forgotten.problem.clear();
  }
}

/// Until it is up, or will not be.
asio::awaitable<void> Sessions::wait_until_up(InstanceId vm, std::chrono::seconds limit) {
  const auto ends = std::chrono::steady_clock::now() + limit;
  for (;;) {
    const auto* const state = vms_.state_of(vm);
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(ends - std::chrono::steady_clock::now());
    if (state == nullptr || machine::derive(*state) != protocol::RunState::booting || left.count() <= 0) co_return;
    auto changed = std::make_shared<async::Notification>(io_.get_executor());
    waiting_.emplace(vm, changed);
    (void)co_await changed->wait_for(left);
  }
}

/// The user's own; when he has none, or had one that was removed, one is made and is his from now on.
asio::awaitable<Result<CliVm>> Sessions::cli_vm_for(std::string id) {
  const auto* const entry = entry_of(id);
  if (entry == nullptr) co_return Error(Errc::not_found, "the session is gone");
  const auto order = entry->session.order;
  const UserKey key{order.owner, order.user};
  auto vm = cli_vm_of(key);
  if (!vm || vms_.state_of(vm->vm) == nullptr) {
    if (order.cli_vm_spec.empty())
      co_return Error(Errc::not_found, vm ? "the CLI VM of the user, " + vm->vm.value() + ", was removed: vigil session start --cli-vm names another"
                                          : "no CLI VM of the user is known: vigil session start --cli-vm names it");
    auto made = vms_.make_cli(order.cli_vm_spec, order.owner, order.user, id);
    if (!made) co_return made.error().with_context("the user's CLI VM is not made");
    vm = CliVm{*made, order.cli_user};
    CO_TRY_VOID(kept, log_->set_cli_vm(key, *vm));
    cli_vms_[key] = *vm;
    spdlog::info("session.cli_vm_made session={} vm={}", id, made->value());
    if (auto* const holder = entry_of(id)) hold_vms(*holder);
  }
  co_await wait_until_up(vm->vm, std::chrono::seconds(order.patience.deliver_s));
  co_return *vm;
}

asio::awaitable<void> Sessions::hand_over(std::string id) {
  const auto* entry = entry_of(id);
  if (entry == nullptr || !entry->session.stored) co_return;
  if (!entry->session.forgotten) {
    Forgotten forgotten{"it had no VM yet"};
    if (entry->session.vm) {
      auto told = co_await tell_to_forget(*entry->session.vm, guest_name(entry->session), entry->session.stored->sha256);
      forgotten = std::move(told);
    }
    EventBody body = std::move(forgotten);
    co_await record_surely(id, std::move(body));
  }
  entry = entry_of(id);
  if (entry == nullptr || entry->session.state != State::delivering) co_return;
  const vault::EntryKey of{entry->session.order.owner, entry->session.order.user,
                           std::string(vigil::to_text(entry->session.order.provider))};
  if (!entry->session.delivered) {
    Delivered delivered;
    auto cli_vm = co_await cli_vm_for(id);
    if (!cli_vm) delivered.problem = cli_vm.error().message();
    if (cli_vm) {
      auto done = co_await deliver_once(of, *cli_vm, "session " + id);
      delivered = std::move(done);
    }
    EventBody body = std::move(delivered);
    co_await record_surely(id, std::move(body));
  }
  entry = entry_of(id);
  const auto cli_vm = cli_vm_of({of.owner, of.user});
  if (entry == nullptr || entry->session.state != State::delivering || entry->session.checked || !cli_vm) co_return;
  auto checked = co_await delivery_.check(of, *cli_vm);
  EventBody body = std::move(checked);
  co_await record_surely(id, std::move(body));
}

asio::awaitable<void> Sessions::remove_vm(std::string id) {
  auto* entry = entry_of(id);
  if (entry == nullptr || !entry->session.vm) co_return;
  const auto rule = removal_rule(entry->session);
  spdlog::info("session.vm_removed session={} vm={} rule=\"{}\"", id, entry->session.vm->value(), rule);
  auto done = std::make_shared<async::Notification>(io_.get_executor());
  auto outcome = std::make_shared<Result<void>>();
  vms_.remove(*entry->session.vm, rule, [done, outcome](Result<void> removed) {
    *outcome = std::move(removed);
    done->notify();
  });
  co_await done->wait();
  VmRemoved removed{rule, *outcome ? "" : outcome->error().message()};
  EventBody body = std::move(removed);
  co_await record_surely(id, std::move(body));
}

/// What the VM was given already, and may have renewed, is not written over; two at once would not know of each other.
asio::awaitable<Delivered> Sessions::deliver_once(vault::EntryKey of, CliVm to, std::string actor) {
  auto turn = co_await turns_.take(to.vm);
  const auto entry = vault_.find(of);
  const auto before = log_->delivered_version(of, to.vm);
  const bool is_there = entry && *entry && before && *before == (*entry)->version;
  const auto replace = is_there ? Delivery::Replace::only_what_is_missing : Delivery::Replace::always;
  auto delivered = co_await delivery_.deliver(of, to, actor, replace);
  note_delivery(of, to.vm, delivered);
  co_return std::move(delivered);
}

void Sessions::note_delivery(const vault::EntryKey& of, const InstanceId& vm, const Delivered& delivered) {
  const auto entry = vault_.find(of);
  if (!delivered.problem.empty() || !entry || !*entry) return;
  if (const auto noted = log_->note_delivery(of, vm, (*entry)->version); !noted)
    spdlog::error("session.not_recorded vm={} err=\"{}\"", vm.value(), noted.error().message());
}

/// Everything of the user, when his CLI VM has started.
asio::awaitable<void> Sessions::deliver_all(CliVm to, UserKey of) {
  const auto entries = vault_.list();
  if (!entries) {
    spdlog::error("session.not_delivered vm={} err=\"{}\"", to.vm.value(), entries.error().message());
    co_return;
  }
  bool is_done = true;
  for (const auto& entry : *entries) {
    if (entry.of.owner != of.owner || entry.of.user != of.user) continue;
    auto delivered = co_await deliver_once(entry.of, to, "start of " + to.vm.value());
    is_done = is_done && delivered.problem.empty();
    if (delivered.problem.empty())
      spdlog::info("session.delivered vm={} provider={} path={}", to.vm.value(), entry.of.provider, escape_for_terminal(delivered.path, Lines::escape));
    else
      spdlog::warn("session.not_delivered vm={} provider={} err=\"{}\"", to.vm.value(), entry.of.provider, escape_for_terminal(delivered.problem, Lines::escape));
  }
  if (const auto start = starts_.find(to.vm); is_done && start != starts_.end()) start->second.is_done = true;
}

}  // namespace vigil::sessions
