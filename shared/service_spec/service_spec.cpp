#include "shared/service_spec/service_spec.hpp"

#include "shared/base/overloaded.hpp"
#include "shared/base/unique_fd.hpp"
#include "shared/service_spec/parse.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <set>

namespace vigil::service_spec {

namespace {

constexpr std::size_t max_file_bytes = 64 * 1024;

Result<std::string> read_file(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return Error::from_errno("open", errno);
  std::string text(max_file_bytes + 1, '\0');
  std::size_t have = 0;
  while (have < text.size()) {
    const auto count = ::read(fd.get(), text.data() + have, text.size() - have);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Error::from_errno("read", errno);
    if (count == 0) break;
    have += static_cast<std::size_t>(count);
  }
  if (have > max_file_bytes) return Error(Errc::limit, "longer than " + std::to_string(max_file_bytes) + " bytes");
  return text.substr(0, have);   // of its own size: all files' texts are held at once
}

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

/// The paths of DIR/*.json, sorted.
Result<std::vector<std::string>> list_files(const std::string& directory) {
  std::vector<std::string> files;
  const std::unique_ptr<DIR, CloseDirectory> open(::opendir(directory.c_str()));
  if (!open && errno == ENOENT) return files;
  if (!open) return Error::from_errno("list", errno);
  for (;;) {
    errno = 0;
    const dirent* const entry = ::readdir(open.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name.ends_with(".json") && name != ".json") files.push_back(directory + "/" + std::string(name));
  }
  if (errno != 0) return Error::from_errno("list", errno);
  if (files.size() > max_services) return Error(Errc::limit, "more than " + std::to_string(max_services) + " service files");
  std::sort(files.begin(), files.end());
  return files;
}

std::string with_port(const char* kind, std::uint16_t port) { return std::string(kind) + ":" + std::to_string(port); }

}  // namespace

std::string probe_name(const ProbeSpec& probe) {
  return std::visit(Overloaded{
                        [](const NotifyFdProbe&) { return std::string("notify-fd"); },
                        [](const SdNotifyProbe&) { return std::string("sd-notify"); },
                        [](const TcpProbe& tcp) { return with_port("tcp", tcp.port); },
                        [](const UnixProbe& socket) { return "unix:" + socket.path; },
                        [](const FileProbe& file) { return "file:" + file.path; },
                        [](const HttpProbe& http) { return with_port("http", http.port); },
                        [](const ExecProbe& exec) { return "exec:" + (exec.argv.empty() ? std::string() : exec.argv[0]); },
                        [](const WebsocketProbe& websocket) { return with_port("websocket", websocket.port); },
                        [](const RfbProbe& rfb) { return with_port("rfb", rfb.port); },
                        [](const X11Probe& x11) { return "x11:" + display_text(x11); },
                        [](const StableForProbe&) { return std::string("stable-for"); },
                    },
                    probe);
}

std::optional<std::uint16_t> probed_port(const ProbeSpec& probe) {
  using Port = std::optional<std::uint16_t>;
  return std::visit(Overloaded{
                        [](const NotifyFdProbe&) { return Port(); },
                        [](const SdNotifyProbe&) { return Port(); },
                        [](const TcpProbe& tcp) { return Port(tcp.port); },
                        [](const UnixProbe&) { return Port(); },
                        [](const FileProbe&) { return Port(); },
                        [](const HttpProbe& http) { return Port(http.port); },
                        [](const ExecProbe&) { return Port(); },
                        [](const WebsocketProbe& websocket) { return Port(websocket.port); },
                        [](const RfbProbe& rfb) { return Port(rfb.port); },
                        [](const X11Probe&) { return Port(); },
                        [](const StableForProbe&) { return Port(); },
                    },
                    probe);
}

std::string to_text(const ScreenSize& size) { return std::to_string(size.width) + "x" + std::to_string(size.height); }

std::string display_text(const X11Probe& probe) { return probe.address + ":" + std::to_string(probe.display); }

SpecSet parse_service_specs(const std::vector<SpecSource>& sources) {
  SpecSet set;
  std::vector<ServiceSpec> specs;
  std::set<ServiceName> known;
  for (const auto& source : sources) {
    auto parsed = parse_file(source);
    if (!parsed.spec.name.value().empty() && !known.insert(parsed.spec.name).second)
      parsed.problems.push_back({"name", "another file defines '" + parsed.spec.name.value() + "' too"});
    for (const auto& problem : parsed.problems) set.errors.push_back(spec_invalid(source.file, problem));
    if (parsed.problems.empty()) specs.push_back(std::move(parsed.spec));
  }
  order_services(std::move(specs), known, set);
  return set;
}

SpecSet load_service_specs(const std::string& directory, const std::map<std::string, std::string>& overlays) {
  const auto files = list_files(directory);
  if (!files) return SpecSet{{}, {spec_invalid(directory, {"(directory)", files.error().message()})}};

  std::vector<SpecSource> sources;
  std::vector<protocol::Cause> unreadable;
  auto unused = overlays;
  for (const auto& file : *files) {
    auto text = read_file(file);
    if (!text) {
      unreadable.push_back(spec_invalid(file, {"", text.error().message()}));
      continue;
    }
    auto overlay = unused.extract(stem_of(file));
    sources.push_back({file, std::move(*text), overlay ? std::optional(std::move(overlay.mapped())) : std::nullopt});
  }
  for (auto& [name, overlay] : unused)
    sources.push_back({"(overlay)/" + name + ".json", R"({"name":")" + name + R"("})", std::move(overlay)});

  auto set = parse_service_specs(sources);
  set.errors.insert(set.errors.begin(), unreadable.begin(), unreadable.end());
  return set;
}

}  // namespace vigil::service_spec
