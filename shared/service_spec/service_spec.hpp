// What a service file says, parsed and checked once; used by the agent when it starts and by the image builder before it publishes.
//
// Shape:  one JSON object a file (comments allowed), file name NAME.json. Keys:
//   name        must equal the file's name
//   exec        argv, exec[0] an absolute path
//   user        name or "name:group"; default root        env {NAME: value}        cwd  absolute path, default /
//   after       [names] order only: waits until each is ready, failed for good or stopped
//   requires    [names] waits until each is ready; fails with service.dependency_failed when one fails for good
//   wants       [names] like after, and the named services need not exist
//   essential   default true: its failure fails the VM; false: its failure degrades it
//   ready       one probe or a list; all must pass; default: running is ready. A probe is one of
//                 {"notify-fd":{"fd":3}} {"sd-notify":{}} {"tcp":{"port":N,"address":"127.0.0.1"}} {"unix":{"path":P}} {"file":{"path":P}}
//                 {"http":{"port":N,"path":"/","status":200,"body":"text that must occur","address":..}} {"exec":{"argv":[..],"interval_ms":1000}}
//                 {"websocket":{"port":N,"path":"/","subprotocol":"binary","first_bytes":"RFB 003.","address":..}} {"rfb":{"port":N,"address":..}}
//                 {"x11":{"display":":0" or "ADDRESS:0","size":"1280x800","window_manager":true}} {"x11":{"display":":0","window":true}} {"stable-for":{"seconds":5}}
//               websocket, rfb and x11 make a connection, which the service sees; the others make none, but for http. guest/readiness/README.md says more.
//   ready_timeout_s  default 30 (times the accelerator's scale)
//   restart     "always" | "on-failure" (default) | "never", or {"policy":..,"backoff_ms":100,"backoff_max_ms":30000,"crash_loop":{"exits":5,"window_s":60}}
//   stop        {"signal":"SIGTERM","grace_s":5}
//   reload      {"signal":"SIGHUP"}: what a request to reload sends; without it there is no reload
//   capabilities   what it may keep of root's powers, ["CAP_NET_BIND_SERVICE"]; whoever its user is, it has these and can gain no other. Without
//               the key a user other than root has none, root all. [] leaves root none.
//   no_new_privs   default false; true: no program that it starts gains powers by setuid, setgid or file capabilities
//   restart_with   [names] of services that this one comes after: when one of them is started anew, so is this one, once that is ready
//   limits      {"memory":bytes or "64M","pids":N,"nofile":N,"cpu_percent":N}
//   health      {"probe":{..},"interval_s":10,"failures":3,"restart":false}: asked anew every interval once the service is ready; unready after so many
//               failures in a row, ready again with the first success. With restart an unhealthy process is stopped, which counts as a death.
//               All probes but notify-fd, sd-notify and stable-for.
//   secrets     [names]
// Units:  seconds and milliseconds as the key says, bytes for memory.
// Errors: Cause service.spec_invalid{file,key} with the reason as evidence: unknown key, wrong type, value out of range, missing dependency;
//         service.dependency_cycle{path}. All errors of a directory are given at once.
//         An overlay replaces a probe (ready, health.probe) whole; other objects are merged.
// Source: DESIGN "Supervision".
#pragma once

#include "shared/base/ids.hpp"
#include "shared/protocol/cause.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace vigil::service_spec {

struct NotifyFdProbe { int fd = 3; };
struct SdNotifyProbe {};
struct TcpProbe { std::uint16_t port = 0; std::string address = "127.0.0.1"; };
struct UnixProbe { std::string path; };
struct FileProbe { std::string path; };
struct HttpProbe { std::uint16_t port = 0; std::string address = "127.0.0.1"; std::string path = "/"; int status = 200; std::string body; };
struct ExecProbe { std::vector<std::string> argv; std::chrono::milliseconds interval{1000}; };
struct WebsocketProbe {
  std::uint16_t port = 0;
  std::string address = "127.0.0.1", path = "/", subprotocol, first_bytes;   // of the messages after the upgrade; empty: the upgrade is enough
};
struct RfbProbe { std::uint16_t port = 0; std::string address = "127.0.0.1"; };
struct ScreenSize {
  std::uint16_t width = 0, height = 0;
  friend bool operator==(const ScreenSize&, const ScreenSize&) = default;
};
struct X11Probe {
  std::string address;                          // empty: the Unix socket of the display
  std::uint16_t display = 0;
  std::optional<ScreenSize> size;
  bool window_manager = false;
  bool window = false;                          // of the service's own processes
};
struct StableForProbe { std::chrono::milliseconds duration{0}; };   // real time, not scaled
using ProbeSpec = std::variant<NotifyFdProbe, SdNotifyProbe, TcpProbe, UnixProbe, FileProbe, HttpProbe, ExecProbe, WebsocketProbe, RfbProbe, X11Probe,
                               StableForProbe>;

/// "http:8080", "tcp:7000", "notify-fd", "unix:/run/x", "x11::0": the name used in reports and causes.
std::string probe_name(const ProbeSpec& probe);
/// The TCP port that the service must have for this probe to pass.
std::optional<std::uint16_t> probed_port(const ProbeSpec& probe);
std::string to_text(const ScreenSize& size);    // "1280x800"
std::string display_text(const X11Probe& probe);   // ":0", "127.0.0.1:0"

enum class RestartWhen { always, on_failure, never };

struct RestartSpec {
  RestartWhen when = RestartWhen::on_failure;
  std::chrono::milliseconds backoff{100}, backoff_max{30'000};
  std::uint32_t loop_exits = 5;                 // this many exits within the window: crash loop, give up
  std::chrono::milliseconds loop_window{60'000};
};

struct StopSpec { int signal = 15; std::chrono::milliseconds grace{5'000}; };

struct LimitSpec {
  std::optional<std::uint64_t> memory_bytes, pids, nofile, cpu_percent;
};

struct HealthSpec { ProbeSpec probe; std::chrono::milliseconds interval{10'000}; std::uint32_t failures = 3; bool restart = false; };

struct ServiceSpec {
  ServiceName name;
  std::string file;                             // where it was read from, for errors
  std::vector<std::string> exec;
  std::string user = "root", group;
  std::map<std::string, std::string> env;
  std::string cwd = "/";
  std::vector<ServiceName> after, requires_ready, wants;   // JSON keys: after, requires, wants
  bool essential = true;
  std::vector<ProbeSpec> ready;
  std::chrono::milliseconds ready_timeout{30'000};
  RestartSpec restart;
  StopSpec stop;
  std::optional<int> reload_signal;
  std::optional<std::uint64_t> capabilities;    // a set of bits, see capabilities.hpp
  bool no_new_privs = false;
  std::vector<ServiceName> restart_with;
  LimitSpec limits;
  std::optional<HealthSpec> health;
  std::vector<std::string> secrets;
};

/// One file's text, with an optional overlay (a JSON merge patch, RFC 7396) laid over it first.
struct SpecSource { std::string file; std::string text; std::optional<std::string> overlay; };

struct SpecSet {
  std::vector<ServiceSpec> services;            // in an order in which dependencies come first
  std::vector<protocol::Cause> errors;          // services that these touch are left out of `services`
};

/// Pure: parses, checks and orders all files together. Two files of one name, a name unlike its file, a cycle and a missing dependency are errors.
/// A good service that requires one left out stays in `services`: it fails with service.dependency_failed when it would start.
SpecSet parse_service_specs(const std::vector<SpecSource>& sources);

/// Reads DIR/*.json (at most 2048 files of at most 64 KiB each), sorted by name; a directory that does not exist holds no services.
/// An overlay (by service name) without a file is a service of its own, as if DIR held {"name": NAME} with the overlay laid over it.
SpecSet load_service_specs(const std::string& directory, const std::map<std::string, std::string>& overlays = {});

}  // namespace vigil::service_spec
