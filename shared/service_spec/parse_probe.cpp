#include "shared/service_spec/parse.hpp"

#include <nlohmann/json.hpp>

#include <sys/un.h>

#include <charconv>
#include <string>
#include <utility>

namespace vigil::service_spec {

using nlohmann::json;

namespace {

constexpr const char* kinds = "notify-fd, sd-notify, tcp, unix, file, http, websocket, rfb, x11, stable-for, exec";

std::uint16_t read_port(KeyReader& reader) {
  reader.require("port");
  return static_cast<std::uint16_t>(reader.integer("port", 1, 65535).value_or(1));
}

std::string read_absolute_path(KeyReader& reader, const char* key) {
  reader.require(key);
  const auto path = reader.text(key, 1024);
  if (path && !path->starts_with('/')) reader.complain(key, "not an absolute path");
  return path.value_or("/");
}

/// What fits into a socket's address: with a longer path it can neither be made nor dialled.
UnixProbe read_unix(KeyReader& reader) {
  constexpr std::size_t longest = sizeof(sockaddr_un::sun_path) - 1;
  auto path = read_absolute_path(reader, "path");
  if (path.size() > longest)
    reader.complain("path", "longer than the " + std::to_string(longest) + " bytes that the path of a Unix socket may have: " + std::to_string(path.size()));
  return {std::move(path)};
}

/// A numeric address: the guest has no resolver that a probe could wait for.
std::string read_address(KeyReader& reader) {
  const auto address = reader.text("address", 64);
  if (address && (address->empty() || address->find_first_not_of("0123456789abcdefABCDEF.:") != address->npos))
    reader.complain("address", "not a numeric address");
  return address.value_or("127.0.0.1");
}

NotifyFdProbe read_notify_fd(KeyReader& reader) { return {static_cast<int>(reader.integer("fd", 3, 1023).value_or(3))}; }

TcpProbe read_tcp(KeyReader& reader) {
  const auto port = read_port(reader);
  return {port, read_address(reader)};
}

std::string read_request_path(KeyReader& reader) {
  const auto path = reader.text("path", 1024).value_or("/");
  if (!path.starts_with('/') || path.find_first_of(" \r\n") != path.npos) reader.complain("path", "not a path that begins with / and holds no blanks");
  return path;
}

HttpProbe read_http(KeyReader& reader) {
  HttpProbe probe;
  probe.port = read_port(reader);
  probe.address = read_address(reader);
  probe.path = read_request_path(reader);
  probe.status = static_cast<int>(reader.integer("status", 100, 599).value_or(probe.status));
  probe.body = reader.text("body", 4096).value_or("");
  return probe;
}

ExecProbe read_exec(KeyReader& reader) {
  ExecProbe probe;
  reader.require("argv");
  probe.argv = reader.texts("argv").value_or(std::vector<std::string>{"/"});
  if (probe.argv.empty() || !probe.argv[0].starts_with('/')) reader.complain("argv[0]", "not an absolute path");
  probe.interval = std::chrono::milliseconds(reader.integer("interval_ms", 10, 3'600'000).value_or(1000));
  return probe;
}

WebsocketProbe read_websocket(KeyReader& reader) {
  WebsocketProbe probe;
  probe.port = read_port(reader);
  probe.address = read_address(reader);
  probe.path = read_request_path(reader);
  probe.subprotocol = reader.text("subprotocol", 64).value_or("");
  if (probe.subprotocol.find_first_of(" ,;\t\r\n") != probe.subprotocol.npos) reader.complain("subprotocol", "not one word");
  probe.first_bytes = reader.text("first_bytes", 256).value_or("");
  return probe;
}

RfbProbe read_rfb(KeyReader& reader) {
  const auto port = read_port(reader);
  return {port, read_address(reader)};
}

/// "1280x800"
std::optional<ScreenSize> parse_screen_size(const std::string& text) {
  ScreenSize size;
  const char* const end = text.data() + text.size();
  const auto width = std::from_chars(text.data(), end, size.width);
  if (width.ec != std::errc{} || width.ptr == end || *width.ptr != 'x') return std::nullopt;
  const auto height = std::from_chars(width.ptr + 1, end, size.height);
  if (height.ec != std::errc{} || height.ptr != end || size.width == 0 || size.height == 0) return std::nullopt;
  return size;
}

X11Probe read_x11(KeyReader& reader) {
  constexpr std::uint16_t first_port = 6000;
  X11Probe probe;
  reader.require("display");
  const auto display = reader.text("display", 64).value_or(":0");
  const auto colon = display.rfind(':');
  const char* const end = display.data() + display.size();
  const auto number = std::from_chars(display.data() + (colon == display.npos ? 0 : colon + 1), end, probe.display);
  probe.address = display.substr(0, colon == display.npos ? 0 : colon);
  const bool is_numeric = probe.address.find_first_not_of("0123456789abcdefABCDEF.:") == probe.address.npos;
  if (colon == display.npos || number.ec != std::errc{} || number.ptr != end || !is_numeric || probe.display > 65535 - first_port)
    reader.complain("display", "neither :N (its Unix socket) nor ADDRESS:N (port 6000 + N) with a numeric address");
  if (const auto text = reader.text("size", 16)) {
    probe.size = parse_screen_size(*text);
    if (!probe.size) reader.complain("size", "not WIDTHxHEIGHT, such as 1280x800");
  }
  probe.window_manager = reader.boolean("window_manager").value_or(false);
  probe.window = reader.boolean("window").value_or(false);
  if (probe.window && (probe.size || probe.window_manager)) reader.complain("window", "a probe of its own: without size and window_manager");
  return probe;
}

StableForProbe read_stable_for(KeyReader& reader) {
  reader.require("seconds");
  return {reader.seconds("seconds", 0.01, 86'400).value_or(std::chrono::milliseconds(1000))};
}

std::optional<ProbeSpec> read_kind(const std::string& kind, KeyReader& reader) {
  if (kind == "notify-fd") return read_notify_fd(reader);
  if (kind == "sd-notify") return SdNotifyProbe{};
  if (kind == "tcp") return read_tcp(reader);
  if (kind == "unix") return read_unix(reader);
  if (kind == "file") return FileProbe{read_absolute_path(reader, "path")};
  if (kind == "http") return read_http(reader);
  if (kind == "exec") return read_exec(reader);
  if (kind == "websocket") return read_websocket(reader);
  if (kind == "rfb") return read_rfb(reader);
  if (kind == "x11") return read_x11(reader);
  if (kind == "stable-for") return read_stable_for(reader);
  return std::nullopt;
}

}  // namespace

std::optional<ProbeSpec> parse_probe(const json& value, const std::string& path, std::vector<Problem>& problems) {
  if (!value.is_object() || value.size() != 1) {
    problems.push_back({path, std::string("a probe is an object with one key: ") + kinds});
    return std::nullopt;
  }
  const auto kind = value.begin().key();
  KeyReader reader(value.begin().value(), path + "." + kind, problems);
  auto probe = read_kind(kind, reader);
  if (!probe) {
    problems.push_back({path + "." + kind, std::string("unknown probe; there are ") + kinds});
    return std::nullopt;
  }
  reader.finish();
  return probe;
}

}  // namespace vigil::service_spec
