// vigil cp: one file into a VM or out of it.
#include "host/cli/commands.hpp"
#include "host/cli/file_sending.hpp"
#include "host/cli/view.hpp"
#include "host/cli/vm_path.hpp"
#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

namespace vigil::cli {

using streams::Channel;

namespace {

struct CopyOptions {
  std::string from, to, user;
};

Result<void> write_whole(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Error::from_errno(path, errno);
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

Result<std::uint64_t> receive_file(GuestStream& stream, int fd, const std::string& path) {
  std::uint64_t received = 0;
  for (;;) {
    TRY(chunk, stream.receive());
    if (chunk.channel == Channel::data) {
      TRY_VOID(write_whole(fd, chunk.bytes, path));
      received += chunk.bytes.size();
    } else if (chunk.channel == Channel::control) {
      TRY(done, done_of(chunk));
      if (!done) continue;
      if (*done != received) return Error(Errc::protocol, "the VM sent " + std::to_string(received) + " bytes and says " + std::to_string(*done));
      return received;
    }
  }
}

Result<std::uint64_t> copy_out(Cli& cli, const VmPath& from, std::string to) {
  TRY(stream, GuestStream::open(cli.daemon, from.vm, streams::FileReadOpening{from.path, 0, {}}));
  if (to == "-") return receive_file(stream, STDOUT_FILENO, "stdout");
  if (std::filesystem::is_directory(to)) to += "/" + last_component(from.path);
  TRY(facts, parse_json(stream.facts_json()));
  // Under another name until it is whole.
  const std::string part = to + ".part";
  const UniqueFd file(::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file) return Error::from_errno(part, errno);
  auto received = receive_file(stream, file.get(), part);
  const auto mode = static_cast<mode_t>(number(facts, "mode") & 0777);
  if (received && (::fchmod(file.get(), mode) != 0 || ::rename(part.c_str(), to.c_str()) != 0)) received = Error::from_errno(to, errno);
  if (!received) ::unlink(part.c_str());
  return received;
}

Result<std::uint64_t> copy_in(Cli& cli, const std::string& from, VmPath to, const std::string& user) {
  const bool from_stdin = from == "-";
  const UniqueFd file(from_stdin ? ::dup(STDIN_FILENO) : ::open(from.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status{};
  if (!file || ::fstat(file.get(), &status) != 0) return Error::from_errno(from, errno);
  if (S_ISDIR(status.st_mode)) return Error(Errc::invalid, from + " is a directory; send it as an archive: tar -c " + from + " | vigil exec -i VM tar -x -C DIRECTORY");
  if (to.path.ends_with('/')) to.path += last_component(from);
  streams::FileWriteOpening opening{to.path, {}, user};
  if (S_ISREG(status.st_mode)) opening.mode = status.st_mode & 0777;
  TRY(stream, GuestStream::open(cli.daemon, to.vm, opening));
  return send_file(stream, file.get(), from);
}

int run_copy(Cli& cli, const CopyOptions& options) {
  const auto from = parse_vm_path(options.from), to = parse_vm_path(options.to);
  if (from.has_value() == to.has_value()) {
    std::fprintf(stderr, "vigil: cp: one of the two must be VM:/PATH, the other a local path or -\n");
    return exit_usage;
  }
  const auto copied = from ? copy_out(cli, *from, options.to) : copy_in(cli, options.from, *to, options.user);
  if (!copied) return fail(copied.error());
  if (cli.json) print_json({{"bytes", *copied}});
  return 0;
}

}  // namespace

void add_cp(CLI::App& app, Cli& cli) {
  auto options = std::make_shared<CopyOptions>();
  add_verb(app, cli, "cp", "copy a file into a VM or out of it; it appears whole under its name, or not at all", [&cli, options] { return run_copy(cli, *options); })
      .text("from", options->from, "VM:/PATH, a local path, or - for stdin", Need::required)
      .text("to", options->to, "VM:/PATH (a directory ends in /), a local path, or - for stdout", Need::required)
      .text("-u,--user", options->user, "owner in the VM (that of the file it replaces, else root)");
}

}  // namespace vigil::cli
