#include "shared/service_spec/parse.hpp"

#include <nlohmann/json.hpp>

namespace vigil::service_spec {

using nlohmann::json;

namespace {

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

HttpProbe read_http(KeyReader& reader) {
  HttpProbe probe;
  probe.port = read_port(reader);
  probe.address = read_address(reader);
  probe.path = reader.text("path", 1024).value_or(probe.path);
  if (!probe.path.starts_with('/') || probe.path.find_first_of(" \r\n") != probe.path.npos)
    reader.complain("path", "not a path that begins with / and holds no blanks");
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

std::optional<ProbeSpec> read_kind(const std::string& kind, KeyReader& reader) {
  if (kind == "notify-fd") return read_notify_fd(reader);
  if (kind == "sd-notify") return SdNotifyProbe{};
  if (kind == "tcp") return read_tcp(reader);
  if (kind == "unix") return UnixProbe{read_absolute_path(reader, "path")};
  if (kind == "file") return FileProbe{read_absolute_path(reader, "path")};
  if (kind == "http") return read_http(reader);
  if (kind == "exec") return read_exec(reader);
  return std::nullopt;
}

}  // namespace

std::optional<ProbeSpec> parse_probe(const json& value, const std::string& path, std::vector<Problem>& problems) {
  if (!value.is_object() || value.size() != 1) {
    problems.push_back({path, "a probe is an object with one key: notify-fd, sd-notify, tcp, unix, file, http or exec"});
    return std::nullopt;
  }
  const auto kind = value.begin().key();
  KeyReader reader(value.begin().value(), path + "." + kind, problems);
  auto probe = read_kind(kind, reader);
  if (!probe) {
    problems.push_back({path + "." + kind, "unknown probe; there are notify-fd, sd-notify, tcp, unix, file, http and exec"});
    return std::nullopt;
  }
  reader.finish();
  return probe;
}

}  // namespace vigil::service_spec
