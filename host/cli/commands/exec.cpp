// vigil exec, vigil shell: a program in a VM, its input and output here.
#include "host/cli/commands.hpp"
#include "host/cli/guest_stream.hpp"
#include "host/cli/raw_terminal.hpp"
#include "host/cli/view.hpp"
#include "shared/base/encoding.hpp"
#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>

namespace vigil::cli {

using nlohmann::json;
using streams::Channel;

namespace {

// As docker and the shells have them: beside the program's own exit codes there is no room for vigil's 1, 2 and 3.
constexpr int exec_failed = 125, not_executable = 126, no_such_program = 127, by_signal = 128;

struct ExecOptions {
  std::string vm, user = "root", cwd, attach;
  std::vector<std::string> command, env;
  bool interactive = false, terminal = false, detach = false;
};

int exec_failure(const Error& error) {
  fail(error);
  if (error.code() == Errc::not_found) return no_such_program;
  return error.code() == Errc::denied ? not_executable : exec_failed;
}

int exit_code_of(const protocol::ExitStatus& status) {
  if (const auto* const code = std::get_if<protocol::ExitCode>(&status)) return code->code;
  if (const auto* const signal = std::get_if<protocol::ExitSignal>(&status)) return by_signal + signal->signal;
  std::fprintf(stderr, "vigil: how the program ended is not known: %s\n", safe(std::get<protocol::ExitUnknown>(status).reason).c_str());
  return exec_failed;
}

void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return;   // whoever read us has gone; the program goes on
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

/// One program's stream, joined to our own descriptors until it ends.
class Attachment {
public:
  Attachment(GuestStream& stream, bool interactive, const RawTerminal& terminal) : stream_(stream), interactive_(interactive), terminal_(terminal) {}

  int run() {
    for (;;) {
      if (const auto code = take_chunks()) return *code;
      if (const auto flushed = stream_.flush(); !flushed) return broken(flushed.error());
      pollfd waits[3] = {{stream_.fd(), static_cast<short>(POLLIN | (stream_.has_unsent() ? POLLOUT : 0)), 0},
                         {terminal_.signals(), POLLIN, 0},
                         {interactive_ && !stream_.has_unsent() ? STDIN_FILENO : -1, POLLIN, 0}};
      if (::poll(waits, 3, -1) < 0 && errno != EINTR) return broken(Error::from_errno("poll", errno));
      if (waits[1].revents) pass_signals();
      if (waits[2].revents) pass_input();
      if (!(waits[0].revents & (POLLIN | POLLHUP | POLLERR))) continue;
      if (const auto read = stream_.read_more(); !read) return broken(read.error());
    }
  }

private:
  int broken(const Error& error) {
    fail(error);
    return exec_failed;
  }

  /// The exit code once the program has ended.
  std::optional<int> take_chunks() {
    for (;;) {
      const auto chunk = stream_.next();
      if (!chunk) return broken(chunk.error());
      if (!*chunk) return std::nullopt;
      if ((*chunk)->channel == Channel::out) write_all(STDOUT_FILENO, (*chunk)->bytes);
      if ((*chunk)->channel == Channel::err) write_all(STDERR_FILENO, (*chunk)->bytes);
      if ((*chunk)->channel != Channel::control) continue;
      if ((*chunk)->is_end()) return code_.value_or(exec_failed);
      take_control((*chunk)->bytes);
    }
  }

  void take_control(const std::string& text) {
    const auto message = streams::decode_control(text);
    if (!message) return;
    if (const auto* const exit = std::get_if<streams::Exit>(&*message)) code_ = exit_code_of(exit->status);
    if (const auto* const lost = std::get_if<streams::Lost>(&*message))
      std::fprintf(stderr, "vigil: %llu bytes of output were lost while nobody was attached\n", static_cast<unsigned long long>(lost->bytes));
    if (const auto* const problem = std::get_if<streams::Problem>(&*message)) code_ = exec_failure(Error(problem->code, problem->detail));
  }

  void pass_signals() {
    while (const auto signal = terminal_.take_signal()) {
      if (*signal == SIGWINCH) {
        if (const auto size = terminal_.size()) stream_.queue(streams::Resize{*size});
      } else {
        stream_.queue(streams::Signal{*signal});
      }
    }
  }

  void pass_input() {
    char block[16 * 1024];
    const ssize_t count = ::read(STDIN_FILENO, block, sizeof block);
    if (count > 0) return stream_.queue(Channel::data, {block, static_cast<std::size_t>(count)});
    if (count < 0 && errno == EINTR) return;
    stream_.queue_end(Channel::data);
    interactive_ = false;
  }

  GuestStream& stream_;
  bool interactive_;
  const RawTerminal& terminal_;
  std::optional<int> code_;
};

Result<streams::Opening> opening_of(const ExecOptions& options, const std::optional<streams::TerminalSize>& size) {
  if (!options.attach.empty()) return streams::Opening(streams::AttachOpening{options.attach});
  streams::ExecOpening open;
  open.argv = options.command;
  open.user = options.user;
  open.cwd = options.cwd;
  open.with_stdin = options.interactive || options.terminal;
  open.detach = options.detach;
  if (options.terminal) open.terminal = size.value_or(streams::TerminalSize{});
  for (const auto& variable : options.env) {
    const auto equals = variable.find('=');
    if (equals == 0 || equals == std::string::npos) return Error(Errc::invalid, "--env takes NAME=VALUE, not " + variable);
    open.env[variable.substr(0, equals)] = variable.substr(equals + 1);
  }
  return streams::Opening(std::move(open));
}

int print_result(Cli& cli, const ExecOptions& options, const streams::Opening& opening) {
  auto body = parse_json(streams::encode(opening));
  if (!body) return exec_failure(body.error());
  for (const char* const key : {"v", "op", "stdin", "detach", "terminal"}) body->erase(key);
  const auto result = cli.client().post(instance_path(options.vm) + "/exec", *body);
  if (!result) return exec_failure(result.error());
  print_json(*result);
  return 0;
}

int run_exec(Cli& cli, const ExecOptions& options) {
  if (options.command.empty() && options.attach.empty() && !options.terminal) {
    std::fprintf(stderr, "vigil: exec: no program is named\n  -> vigil exec VM PROGRAM [ARGUMENT...]; for a shell: vigil shell VM\n");
    return exec_failed;
  }
  if (cli.json && !options.detach && (options.interactive || options.terminal || !options.attach.empty())) {
    std::fprintf(stderr, "vigil: exec: --json tells the result of a program without stdin and terminal; leave -i, -t and --attach out\n");
    return exec_failed;
  }
  const RawTerminal terminal(options.terminal ? RawTerminal::Mode::raw : RawTerminal::Mode::as_it_is);
  const auto opening = opening_of(options, terminal.size());
  if (!opening) return exec_failure(opening.error());
  if (cli.json && !options.detach) return print_result(cli, options, *opening);
  auto stream = GuestStream::open(cli.daemon, options.vm, *opening);
  if (!stream) {
    terminal.restore();
    // What was not found is the program, if there is such a VM.
    const bool has_vm = stream.error().code() != Errc::not_found || cli.client().get(instance_path(options.vm));
    return has_vm ? exec_failure(stream.error()) : exec_failure(Error(Errc::io, stream.error().message()));
  }
  if (options.detach) {
    const auto facts = parse_json(stream->facts_json());
    if (!facts) return exec_failure(facts.error());
    if (cli.json) print_json(*facts);
    else std::printf("%s\n", safe(text(*facts, "exec")).c_str());
    return 0;
  }
  const int code = Attachment(*stream, options.interactive || options.terminal, terminal).run();
  terminal.restore();
  return code;
}

}  // namespace

void add_exec(CLI::App& app, Cli& cli) {
  auto options = std::make_shared<ExecOptions>();
  add_verb(app, cli, "exec",
           "run a program in a VM: vigil exec [OPTIONS] VM [--] PROGRAM [ARGUMENT...]. Its exit code is ours; 128+N when a signal ended it, 127 no such program,\n"
           "126 not executable, 125 vigil itself failed",
           [&cli, options] { return run_exec(cli, *options); })
      .text("vm", options->vm, "name, id or unique prefix of an id", Need::required)
      .flag("-i,--interactive", options->interactive, "its stdin is ours; else /dev/null")
      .flag("-t,--tty", options->terminal, "in a terminal of its own; without PROGRAM: the user's login shell")
      .text("-u,--user", options->user, "user in the VM (root)")
      .text("-w,--cwd", options->cwd, "directory (the user's home)")
      .texts("-e,--env", options->env, "NAME=VALUE; repeatable")
      .flag("-d,--detach", options->detach, "print its id and leave it running")
      .text("--attach", options->attach, "to a program that runs already, or has ended in the last ten minutes, by its id")
      .rest(cli, options->command);
}

void add_shell(CLI::App& app, Cli& cli) {
  auto options = std::make_shared<ExecOptions>();
  options->terminal = options->interactive = true;
  add_verb(app, cli, "shell", "a login shell in a VM", [&cli, options] { return run_exec(cli, *options); })
      .text("vm", options->vm, "name, id or unique prefix of an id", Need::required)
      .text("-u,--user", options->user, "user in the VM (root)");
}

}  // namespace vigil::cli
