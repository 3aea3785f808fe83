// vigil ls: what a directory of a VM holds, or what happens in it.
#include "host/cli/commands.hpp"
#include "host/cli/guest_stream.hpp"
#include "host/cli/view.hpp"
#include "host/cli/vm_path.hpp"
#include "shared/base/encoding.hpp"
#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <ctime>

namespace vigil::cli {

using nlohmann::json;
using streams::Channel;

namespace {

struct LsOptions {
  std::string what;
  bool watch = false;
};

constexpr std::size_t max_listing_bytes = 64 << 20;

Result<json> entries_of(const std::string& lines) {
  json entries = json::array();
  for (std::size_t begin = 0; begin < lines.size();) {
    const auto end = std::min(lines.find('\n', begin), lines.size());
    TRY(entry, parse_json(std::string_view(lines).substr(begin, end - begin)));
    if (!entry.is_object()) return Error(Errc::protocol, "the VM's listing is not understood");
    entries.push_back(std::move(entry));
    begin = end + 1;
  }
  std::sort(entries.begin(), entries.end(), [](const json& a, const json& b) { return text(a, "name") < text(b, "name"); });
  return entries;
}

Result<json> list(Cli& cli, const VmPath& path) {
  TRY(stream, GuestStream::open(cli.daemon, path.vm, streams::DirListOpening{path.path.empty() ? "/" : path.path}));
  std::string lines;
  for (;;) {
    TRY(chunk, stream.receive());
    if (chunk.channel == Channel::data) lines += chunk.bytes;
    if (lines.size() > max_listing_bytes) return Error(Errc::limit, "the directory is too large to be listed");
    if (chunk.channel != Channel::control) continue;
    if (chunk.is_end()) return entries_of(lines);
    TRY(message, streams::decode_control(chunk.bytes));
    if (const auto* const problem = std::get_if<streams::Problem>(&message)) return Error(problem->code, problem->detail);
  }
}

/// A name as people read it; one that is no UTF-8 with its bytes as \xNN.
std::string shown_name(const json& entry, const char* key) {
  const auto plain = text(entry, key);
  if (!plain.empty()) return safe(plain);
  const auto bytes = from_base64(text(entry, (std::string(key) + "_b64").c_str()));
  return bytes ? safe(*bytes) : "";
}

std::string mode_text(const json& entry) {
  const auto type = text(entry, "type");
  std::string out(1, type == "directory" ? 'd' : type == "link" ? 'l' : type == "file" ? '-' : type.empty() ? '?' : type.front());
  const auto mode = number(entry, "mode");
  for (int bit = 8; bit >= 0; --bit) out += (mode >> bit) & 1 ? "xwr"[bit % 3] : '-';
  return out;
}

std::string time_text(const json& entry) {
  const auto seconds = static_cast<std::time_t>(number(entry, "mtime_unix_us") / 1'000'000);
  char out[32] = "";
  std::tm local{};
  if (::localtime_r(&seconds, &local)) std::strftime(out, sizeof out, "%Y-%m-%d %H:%M", &local);
  return out;
}

std::string event_text(const json& event) {
  const auto what = text(event, "event");
  if (what == "overflow") return "overflow   more happened than could be told: list the directory again";
  if (what == "gone") return "gone       the directory was removed, moved or unmounted";
  return what + std::string(what.size() < 11 ? 11 - what.size() : 1, ' ') + shown_name(event, "name") + (is_true(event, "directory") ? "/" : "");
}

/// Whole lines leave `lines` and are printed.
Result<void> print_events(Cli& cli, std::string& lines) {
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = lines.find('\n', begin)) != std::string::npos; begin = end + 1) {
    TRY(event, parse_json(std::string_view(lines).substr(begin, end - begin)));
    if (!event.is_object()) return Error(Errc::protocol, "what the VM tells of the directory is not understood");
    std::printf("%s\n", cli.json ? dump_json(event).c_str() : event_text(event).c_str());
  }
  lines.erase(0, begin);
  std::fflush(stdout);
  return lines.size() <= max_listing_bytes ? Result<void>() : Error(Errc::protocol, "a line that does not end");
}

Result<void> watch(Cli& cli, const VmPath& path) {
  TRY(stream, GuestStream::open(cli.daemon, path.vm, streams::DirWatchOpening{path.path.empty() ? "/" : path.path}));
  if (!cli.json) std::fprintf(stderr, "watching %s, not the directories below it; Ctrl-C ends it\n", safe(path.path.empty() ? "/" : path.path).c_str());
  std::string lines;
  for (;;) {
    TRY(chunk, stream.receive());
    if (chunk.channel == Channel::data) {
      lines += chunk.bytes;
      TRY_VOID(print_events(cli, lines));
    }
    if (chunk.channel != Channel::control) continue;
    if (chunk.is_end()) return {};
    TRY(message, streams::decode_control(chunk.bytes));
    if (const auto* const problem = std::get_if<streams::Problem>(&message)) return Error(problem->code, problem->detail);
  }
}

int run_ls(Cli& cli, const LsOptions& options) {
  const auto path = parse_vm_path(options.what).value_or(VmPath{options.what, "/"});
  if (options.watch) {
    const auto watched = watch(cli, path);
    return watched ? 0 : fail(watched.error());
  }
  const auto entries = list(cli, path);
  if (!entries) return fail(entries.error());
  if (cli.json) {
    print_json(*entries);
    return 0;
  }
  std::vector<std::vector<std::string>> rows{{"MODE", "UID", "GID", "SIZE", "MODIFIED", "NAME"}};
  for (const auto& entry : *entries) {
    const auto target = shown_name(entry, "target");
    rows.push_back({mode_text(entry), text(entry, "uid"), text(entry, "gid"), text(entry, "size"), time_text(entry),
                    shown_name(entry, "name") + (target.empty() ? "" : " -> " + target)});
  }
  print_table(rows);
  return 0;
}

}  // namespace

void add_ls(CLI::App& app, Cli& cli) {
  auto options = std::make_shared<LsOptions>();
  add_verb(app, cli, "ls", "list a directory of a VM", [&cli, options] { return run_ls(cli, *options); })
      .text("directory", options->what, "VM:/PATH; VM alone is its root", Need::required)
      .flag("--watch", options->watch, "tell what happens in it, until the directory goes or Ctrl-C (with --json one object a line); not in directories below it");
}

}  // namespace vigil::cli
