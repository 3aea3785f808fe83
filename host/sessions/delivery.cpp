#include "host/sessions/delivery.hpp"

#include "host/async/deadline.hpp"
#include "host/async/notification.hpp"
#include "host/sessions/credential_stream.hpp"
#include "host/streams/run_program.hpp"
#include "shared/base/encoding.hpp"
#include "shared/signin/provider.hpp"
#include "shared/streams/opening.hpp"

#include <algorithm>

namespace vigil::sessions {

namespace asio = boost::asio;

namespace {

constexpr std::size_t max_shown = 200, max_home = 4000;

/// Runs in the user's home directory: makes what the file needs there, says where that is, and whether the file is there.
constexpr char make_there[] = "umask 077; mkdir -p -- \"$1\" && pwd && if test -s \"$2\"; then echo there; fi";

std::string exit_text(const protocol::ExitStatus& status) {
  if (const auto* const code = std::get_if<protocol::ExitCode>(&status)) return "exit " + std::to_string(code->code);
  if (const auto* const signal = std::get_if<protocol::ExitSignal>(&status)) return "signal " + std::to_string(signal->signal);
  return std::get<protocol::ExitUnknown>(status).reason;
}

bool has_exit_code(const streams::ProgramResult& result, int code) {
  const auto* const exit = std::get_if<protocol::ExitCode>(&result.exit);
  return exit != nullptr && exit->code == code;
}

std::string line_of(const std::string& text) { return to_valid_utf8(text.substr(0, text.find('\n')), max_shown); }

struct Answer {
  explicit Answer(asio::any_io_executor executor) : there(std::move(executor)) {}
  async::Notification there;
  std::optional<Result<streams::GuestStream>> stream;
};

}  // namespace

asio::awaitable<Result<streams::GuestStream>> Delivery::open(InstanceId vm, std::string opening) {
  auto executor = co_await asio::this_coro::executor;
  auto answer = std::make_shared<Answer>(executor);
  vms_.open_stream(vm, std::move(opening), [answer](Result<streams::GuestStream> stream) {
    answer->stream.emplace(std::move(stream));
    answer->there.notify();
  });
  co_await answer->there.wait();
  co_return std::move(*answer->stream);
}

asio::awaitable<Result<Delivery::Home>> Delivery::make_directory(CliVm in, std::string file) {
  const auto directory = file.substr(0, std::min(file.rfind('/'), file.size()));
  streams::ExecOpening exec;
  exec.argv = {"/bin/sh", "-c", make_there, "sh", directory, file};
  exec.user = in.user;
  auto stream = co_await open(in.vm, streams::encode(exec));
  if (!stream) co_return stream.error();
  const streams::ProgramLimits limits{patience_, max_home};
  auto ran = co_await streams::run_program(std::move(*stream), std::string(), limits);
  if (!ran) co_return ran.error();
  if (!has_exit_code(*ran, 0))
    co_return Error(Errc::io, "make " + directory + " in the home of " + in.user + ": " + exit_text(ran->exit) + " " + line_of(ran->err));
  Home home;
  const auto end = std::min(ran->out.find('\n'), ran->out.size());
  home.path = ran->out.substr(0, end);
  home.has_file = ran->out.substr(end) == "\nthere\n";
  if (!home.path.starts_with('/')) co_return Error(Errc::protocol, "the guest names no home directory of " + in.user);
  co_return std::move(home);
}

asio::awaitable<Delivered> Delivery::deliver(vault::EntryKey of, CliVm to, std::string actor, Replace replace) {
  Delivered delivered;
  delivered.vm = to.vm.value();
  const auto provider = parse_enum<signin::Provider>(of.provider);
  if (!provider) {
    delivered.problem = "this version does not know the provider " + of.provider;
    co_return delivered;
  }
  const auto& row = signin::provider_row(*provider);
  const std::string path(row.credential_path);
  auto home = co_await make_directory(to, path);
  if (!home) {
    delivered.problem = home.error().message();
    co_return delivered;
  }
  delivered.path = (home->path == "/" ? "" : home->path) + "/" + path;
  if (home->has_file && replace == Replace::only_what_is_missing) co_return delivered;
  const streams::FileWriteOpening opening{delivered.path, row.deliver_mode, to.user};
  auto stream = co_await open(to.vm, streams::encode(opening));
  if (!stream) {
    delivered.problem = stream.error().message();
    co_return delivered;
  }
  auto secret = vault_.reveal(of, "deliver", actor);
  if (!secret) {
    delivered.problem = secret.error().message();
    co_return delivered;
  }
  auto credential = std::make_shared<const vault::Secret>(std::move(*secret));
  auto work = send_credential(std::move(*stream), credential);
  auto sent = co_await async::with_deadline(std::move(work), patience_, "write the credential into the CLI VM");
  if (!sent) delivered.problem = sent.error().message();
  co_return delivered;
}

asio::awaitable<Checked> Delivery::check(vault::EntryKey of, CliVm in) {
  Checked checked;
  const auto provider = parse_enum<signin::Provider>(of.provider);
  if (!provider) {
    checked.how = "this version does not know the provider";
    co_return checked;
  }
  streams::ExecOpening exec;
  for (const auto word : signin::provider_row(*provider).check) exec.argv.emplace_back(word);
  for (const auto& variable : signin::provider_row(*provider).use_environment) exec.env[std::string(variable.name)] = variable.value;
  exec.user = in.user;
  std::string command;
  for (const auto& word : exec.argv) command += (command.empty() ? "" : " ") + word;
  auto stream = co_await open(in.vm, streams::encode(exec));
  if (!stream) {
    checked.how = command + ": " + stream.error().message();
    co_return checked;
  }
  const streams::ProgramLimits limits{patience_, 4096};
  auto ran = co_await streams::run_program(std::move(*stream), std::string(), limits);
  if (!ran) {
    checked.how = command + ": " + ran.error().message();
    co_return checked;
  }
  // What the tool prints may name the account: only its exit status is kept.
  checked.how = command + ": " + exit_text(ran->exit);
  const bool did_run = !has_exit_code(*ran, 127) && !has_exit_code(*ran, 126) && std::holds_alternative<protocol::ExitCode>(ran->exit);
  const auto& refusals = signin::provider_row(*provider).check_refusals;
  const bool is_refused = std::ranges::any_of(refusals, [&](std::string_view text) { return ran->out.find(text) != std::string::npos || ran->err.find(text) != std::string::npos; });
  if (did_run) checked.validity = has_exit_code(*ran, 0) && !is_refused ? Validity::valid : Validity::invalid;
  if (did_run) (void)vault_.note_check(of, {checked.validity == Validity::valid, clock_.unix_us(), checked.how});
  co_return checked;
}

}  // namespace vigil::sessions
