// vigil image: list, show, verify, build, import and collect golden images.
#include "host/cli/commands.hpp"
#include "host/cli/view.hpp"
#include "host/places/places.hpp"

#include <nlohmann/json.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <vector>

namespace vigil::cli {

using nlohmann::json;

namespace {

std::string day(std::int64_t unix_s) {
  const std::time_t seconds = unix_s;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char buffer[32];
  std::strftime(buffer, sizeof buffer, "%Y-%m-%d %H:%M", &utc);
  return buffer;
}

int run_list(Cli& cli) {
  const auto list = cli.client().get("/v1/images");
  if (!list) return fail(list.error());
  if (cli.json) {
    print_json(*list);
    return 0;
  }
  std::vector<std::vector<std::string>> rows = {{"NAME", "DIGEST", "CURRENT", "CREATED", "MIB", "KERNEL", "AGENT"}};
  for (const auto& image : *list)
    rows.push_back({text(image, "name"), text(image, "digest").substr(0, 12), is_true(image, "current") ? "*" : "", day(number(image, "created_unix")),
                    std::to_string(number(image, "bytes") >> 20), text(image, "kernel"), text(image, "agent")});
  print_table(rows);
  return 0;
}

int run_show(Cli& cli, const std::string& reference) {
  const auto manifest = cli.client().get("/v1/images/" + segment(reference));
  if (!manifest) return fail(manifest.error());
  print_json(*manifest);
  return 0;
}

std::string companion(const Cli& cli, const char* name);

std::string images_dir(Cli& cli);

/// Replaces this process by a program of rootfs-build; comes back only when that fails.
int become(std::vector<std::string> words) {
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  ::execv(argv[0], argv.data());
  return fail(Error::from_errno("run " + words[0], errno));
}

/// The daemon computes the hashes; what the image holds is looked at by rootfs-build/verify, where that is.
int run_verify(Cli& cli, const std::string& reference) {
  const auto verified = cli.client().post("/v1/images/" + segment(reference) + "/verify", json::object());
  if (!verified) return fail(verified.error());
  const auto program = companion(cli, "verify");
  std::error_code ignored;
  if (!std::filesystem::exists(program, ignored)) {
    if (cli.json) print_json(*verified);
    else std::printf("%s: every file is what its manifest says; not linted, for %s is not there\n", safe(reference).c_str(), program.c_str());
    return 0;
  }
  if (!cli.json) std::printf("%s: every file is what its manifest says\n", safe(reference).c_str());
  std::fflush(stdout);
  std::vector<std::string> words = {program, "--no-hashes", images_dir(cli) + "/" + text(*verified, "name") + "/" + text(*verified, "digest")};
  // The agent beside this program is this host's: an image with another one is told of.
  const auto agent = std::filesystem::path(cli.program).parent_path() / "vigil-guest";
  if (std::filesystem::exists(agent, ignored)) words.insert(words.end(), {"--agent", agent.string()});
  if (cli.json) words.push_back("--json");
  return become(std::move(words));
}

int run_gc(Cli& cli, bool dry_run) {
  const auto answer = cli.client().post(std::string("/v1/images-unused") + (dry_run ? "?dry_run=1" : ""), json::object());
  if (!answer) return fail(answer.error());
  if (cli.json) {
    print_json(*answer);
    return 0;
  }
  std::uint64_t bytes = 0;
  std::size_t count = 0;
  for (const auto& image : answer->at("images")) {
    std::printf("%s@%s  %llu MiB\n", text(image, "name").c_str(), text(image, "digest").substr(0, 12).c_str(),
                static_cast<unsigned long long>(number(image, "bytes")) >> 20);
    bytes += static_cast<std::uint64_t>(number(image, "bytes"));
    ++count;
  }
  for (const auto& name : answer->at("busy")) std::printf("%s is being built, and was left alone\n", name.get<std::string>().c_str());
  std::printf("%zu unused image%s %s, %llu MiB %s\n", count, count == 1 ? "" : "s", dry_run ? "would be removed" : "removed",
              static_cast<unsigned long long>(bytes >> 20), dry_run ? "to gain" : "free");
  return 0;
}

/// A program of rootfs-build: beside the source tree that this one was built in, else where packages put it.
std::string companion(const Cli& cli, const char* name) {
  const char* const given = std::getenv("VIGIL_ROOTFS_BUILD");
  if (given != nullptr && *given != '\0') return std::string(name) == "build" ? given : (std::filesystem::path(given).parent_path() / name).string();
  const auto in_source_tree = std::filesystem::path(cli.program).parent_path() / "../../../rootfs-build" / name;
  std::error_code ignored;
  if (std::filesystem::exists(in_source_tree, ignored)) return std::filesystem::weakly_canonical(in_source_tree, ignored).string();
  return std::string("/usr/share/vigil/rootfs-build/") + name;
}

/// Where the daemon's images are; without a daemon, where they will be.
std::string images_dir(Cli& cli) {
  const auto daemon = cli.client().get("/v1/daemon");
  const auto state = daemon ? text(*daemon, "state_dir") : std::string();
  return (state.empty() ? default_places().state : std::filesystem::path(state)) / "images";
}

/// Runs a builder that publishes where the daemon looks, with the agent and the core helper that lie beside this program.
int make_image(Cli& cli, const char* program, std::vector<std::string> arguments) {
  std::vector<std::string> words = {companion(cli, program)};
  words.insert(words.end(), arguments.begin(), arguments.end());
  words.insert(words.end(), {"--out", images_dir(cli)});
  const auto here = std::filesystem::path(cli.program).parent_path();
  std::error_code ignored;
  if (std::filesystem::exists(here / "vigil-guest", ignored)) words.insert(words.end(), {"--agent", (here / "vigil-guest").string()});
  if (std::filesystem::exists(here / "vigil-core", ignored)) words.insert(words.end(), {"--core-helper", (here / "vigil-core").string()});
  if (cli.json) words.push_back("--json");
  return become(std::move(words));
}

int run_build(Cli& cli, const std::string& profile) { return make_image(cli, "build", {profile}); }

struct ImportOptions {
  std::string name, source, like;
  std::vector<std::string> allowed;
};

int run_import(Cli& cli, const ImportOptions& options) {
  std::vector<std::string> words = {options.name, options.source};
  if (!options.like.empty()) words.insert(words.end(), {"--like", options.like});
  for (const auto& allowed : options.allowed) words.insert(words.end(), {"--allow", allowed});
  return make_image(cli, "import", std::move(words));
}

void add_reference(Verb& image, Cli& cli, const char* name, const char* what, int (*run)(Cli&, const std::string&)) {
  auto reference = std::make_shared<std::string>();
  image.below(cli, name, what, [&cli, reference, run] { return run(cli, *reference); })
      .text("image", *reference, "NAME, or NAME@DIGEST where that is meant", Need::required);
}

}  // namespace

void add_image(CLI::App& app, Cli& cli) {
  auto image = add_group(app, "image", "golden images: list, show, verify, build, import, gc");
  image.below(cli, "list", "the images that the daemon has", [&cli] { return run_list(cli); }).alias("ls");
  add_reference(image, cli, "show", "an image's manifest", run_show);
  add_reference(image, cli, "verify", "compute every hash of an image again, and lint what it holds", run_verify);
  add_reference(image, cli, "build", "build a profile and publish it (runs rootfs-build/build)", run_build);
  auto options = std::make_shared<ImportOptions>();
  image.below(cli, "import", "make an image of a tar or a directory (runs rootfs-build/import)", [&cli, options] { return run_import(cli, *options); })
      .text("name", options->name, "the image's name", Need::required)
      .text("source", options->source, "a tar (plain, gzip, bzip2, xz) or a directory", Need::required)
      .text("--like", options->like, "profile whose kernel and least memory it takes (default: minimal)")
      .texts("--allow", options->allowed, "RULE=ITEM of the lint that is meant to be so (repeatable)");
  auto dry_run = std::make_shared<bool>(false);
  image.below(cli, "gc", "remove the images that are neither current nor of a VM", [&cli, dry_run] { return run_gc(cli, *dry_run); })
      .flag("--dry-run", *dry_run, "only tell which");
}

}  // namespace vigil::cli
