// vigil agent: which build the agent in each VM is, and how one becomes another while its services and streams go on.
#include "host/cli/commands.hpp"
#include "host/cli/file_sending.hpp"
#include "host/cli/view.hpp"
#include "shared/base/build_id.hpp"
#include "shared/signin/sha256.hpp"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

namespace vigil::cli {

using nlohmann::json;

namespace {

constexpr const char* staging_path = "/run/vigil/next-agent";
constexpr std::size_t max_program_bytes = 64 << 20;

struct AgentOptions {
  std::string vm, binary;
};

Result<std::string> read_program(int fd, const std::string& path) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return Error::from_errno(path, errno);
  if (!S_ISREG(status.st_mode)) return Error(Errc::invalid, path + " is not a file");
  if (static_cast<std::size_t>(status.st_size) > max_program_bytes)
    return Error(Errc::limit, path + " has more than 64 MiB: it is no agent");
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  for (std::size_t got = 0; got < bytes.size();) {
    const ssize_t count = ::pread(fd, bytes.data() + got, bytes.size() - got, static_cast<off_t>(got));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return Error(Errc::io, path + " cannot be read whole");
    got += static_cast<std::size_t>(count);
  }
  return bytes;
}

std::string own_agent(const Cli& cli) { return (std::filesystem::path(cli.program).parent_path() / "vigil-guest").string(); }

Result<json> upgrade(Cli& cli, const AgentOptions& options) {
  const std::string path = options.binary.empty() ? own_agent(cli) : options.binary;
  const auto say = [&](const char* what) {
    if (!cli.json) std::fprintf(stderr, "%s\n", what);
  };
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return Error::from_errno(path + (options.binary.empty() ? " (--binary names another)" : ""), errno);
  TRY(bytes, read_program(file.get(), path));
  say(("sending " + path).c_str());
  TRY(stream, GuestStream::open(cli.daemon, options.vm, streams::FileWriteOpening{staging_path, 0600, "root"}));
  TRY_VOID(send_file(stream, file.get(), path));
  say("the agent tries it; services and streams go on, and after ten seconds it is there to stay");
  return cli.client().post(instance_path(options.vm) + "/agent", json{{"path", staging_path}, {"sha256", signin::sha256_hex(bytes)}});
}

int run_upgrade(Cli& cli, const AgentOptions& options) {
  const auto outcome = upgrade(cli, options);
  if (!outcome) return fail(outcome.error());
  if (cli.json)
    print_json(*outcome);
  else
    std::printf("build %s -> %s\n", text(*outcome, "from_build").c_str(), text(*outcome, "to_build").c_str());
  return 0;
}

std::string standing(const std::string& build, const std::string& own) {
  if (build.empty()) return "not known yet";
  if (own.empty()) return "";
  return build == own ? "this host's" : "another";
}

int run_agents(Cli& cli) {
  const auto list = cli.client().get("/v1/instances");
  if (!list) return fail(list.error());
  const auto own = build_id_of_file(own_agent(cli));
  json told = json::array();
  std::vector<std::vector<std::string>> rows = {{"NAME", "ID", "STATE", "AGENT", "BUILD", "IS"}};
  std::size_t others = 0;
  for (const auto& vm : *list) {
    const auto& agent = vm.at("agent");
    const std::string version = agent.is_null() ? "" : safe(text(agent, "version")), build = agent.is_null() ? "" : safe(text(agent, "build_id"));
    others += !build.empty() && build != own ? 1 : 0;
    rows.push_back({text(vm, "name"), text(vm, "id"), text(vm, "state"), version, build.substr(0, 12), standing(build, own)});
    told.push_back({{"id", text(vm, "id")}, {"name", text(vm, "name")}, {"agent", agent}, {"host_build_id", own}});
  }
  if (cli.json) {
    print_json(told);
    return 0;
  }
  print_table(rows);
  if (own.empty()) std::printf("there is no agent at %s to compare with\n", own_agent(cli).c_str());
  else if (others > 0) std::printf("this host's is build %s: vigil agent upgrade VM\n", own.substr(0, 12).c_str());
  return 0;
}

}  // namespace

void add_agent(CLI::App& app, Cli& cli) {
  auto agent = add_group(app, "agent", "the agent inside a VM");
  agent.below(cli, "ls", "the build of the agent in each VM, beside this host's", [&cli] { return run_agents(cli); });
  auto options = std::make_shared<AgentOptions>();
  agent
      .below(cli, "upgrade",
             "replace it by another build while services, programs and streams go on; 0: done, 1: the former one goes on, with the reason",
             [&cli, options] { return run_upgrade(cli, *options); })
      .text("vm", options->vm, "name, id or unique prefix of an id", Need::required)
      .text("--binary", options->binary, "the static program (default: the vigil-guest beside this program)");
}

}  // namespace vigil::cli
