#include "host/shim/exit_record.hpp"

#include "host/shim/record_json.hpp"
#include "shared/base/overloaded.hpp"
#include "shared/base/unique_fd.hpp"
#include "shared/json/json.hpp"

#include <fcntl.h>
#include <nlohmann/json.hpp>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <iterator>

namespace vigil::shim {

using nlohmann::json;

namespace {

constexpr std::int64_t format = 1;

Result<std::uint64_t> read_count(const json& object, const char* key) {
  TRY(value, read_integer(object, key));
  return static_cast<std::uint64_t>(value);
}

Result<void> read_counts(const json& object, ExitRecord& record) {
  const std::pair<const char*, std::uint64_t*> members[] = {
      {"started_unix_us", &record.started_unix_us}, {"ended_unix_us", &record.ended_unix_us}, {"user_us", &record.usage.user_us},
      {"system_us", &record.usage.system_us}, {"max_rss_kib", &record.usage.max_rss_kib}, {"console_bytes", &record.console_bytes},
      {"console_gap_bytes", &record.console_gap_bytes}, {"console_lost_bytes", &record.console_lost_bytes}};
  for (const auto& [key, value] : members) {
    TRY(count, read_count(object, key));
    *value = count;
  }
  return {};
}

Result<void> write_file(const std::string& path, const std::string& text) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file) return Error::from_errno("open " + path, errno);
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t put = ::write(file.get(), text.data() + done, text.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return Error::from_errno("write " + path, errno);
    done += static_cast<std::size_t>(put);
  }
  if (::fsync(file.get()) != 0) return Error::from_errno("fsync " + path, errno);
  return {};
}

void sync_directory_of(const std::string& path) {
  const UniqueFd directory(::open(path.substr(0, path.rfind('/')).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory) ::fsync(directory.get());
}

}  // namespace

json to_json(const ProcessIdentity& process) { return {{"pid", process.pid}, {"start_ticks", process.start_ticks}}; }

json to_json(const protocol::ExitStatus& exit) {
  return std::visit(Overloaded{[](const protocol::ExitCode& code) -> json { return {{"code", code.code}}; },
                               [](const protocol::ExitSignal& signal) -> json { return {{"signal", signal.signal}, {"core", signal.core}}; },
                               [](const protocol::ExitUnknown& unknown) -> json { return {{"unknown", unknown.reason}}; }},
                    exit);
}

json to_json(const ExitRecord& record) {
  json out = {{"format", format}, {"instance", record.instance.value()}, {"run", record.run.value()}, {"host_boot_id", record.host_boot_id},
              {"shim", to_json(record.shim)}, {"vmm", to_json(record.vmm)}, {"device", to_json(record.device)},
              {"start_error", record.start_error}, {"exit", to_json(record.exit)}, {"host_oom", record.host_oom},
              {"started_unix_us", record.started_unix_us}, {"ended_unix_us", record.ended_unix_us}, {"user_us", record.usage.user_us},
              {"system_us", record.usage.system_us}, {"max_rss_kib", record.usage.max_rss_kib}, {"console_bytes", record.console_bytes},
              {"console_gap_bytes", record.console_gap_bytes}, {"console_lost_bytes", record.console_lost_bytes}, {"log_tail", record.log_tail}};
  if (record.device_exit) out["device_exit"] = to_json(*record.device_exit);
  return out;
}

Result<ProcessIdentity> read_identity(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_object()) return Error(Errc::invalid, std::string(key) + ": missing");
  TRY(pid, read_integer(*found, "pid"));
  TRY(start, read_count(*found, "start_ticks"));
  return ProcessIdentity{pid, start};
}

Result<protocol::ExitStatus> read_exit_status(const json& object, const char* key) {
  using protocol::ExitStatus;
  const auto found = object.find(key);
  if (found == object.end() || !found->is_object()) return Error(Errc::invalid, std::string(key) + ": missing");
  if (found->contains("code")) {
    TRY(code, read_integer(*found, "code", -255, 255));
    return ExitStatus(protocol::ExitCode{static_cast<std::int32_t>(code)});
  }
  if (found->contains("signal")) {
    TRY(signal, read_integer(*found, "signal", 1, 255));
    TRY(core, read_bool(*found, "core"));
    return ExitStatus(protocol::ExitSignal{static_cast<std::int32_t>(signal), core});
  }
  TRY(reason, read_string(*found, "unknown"));
  return ExitStatus(protocol::ExitUnknown{reason});
}

Result<ExitRecord> read_record(const json& object) {
  ExitRecord record;
  TRY(instance, read_string(object, "instance"));
  TRY(run, read_integer(object, "run", 1, 0xFFFFFFFF));
  TRY(boot, read_string(object, "host_boot_id"));
  TRY(shim, read_identity(object, "shim"));
  TRY(vmm, read_identity(object, "vmm"));
  TRY(device, read_identity(object, "device"));
  TRY(start_error, read_string(object, "start_error", 16 << 10));
  TRY(exit, read_exit_status(object, "exit"));
  TRY(host_oom, read_bool(object, "host_oom"));
  TRY(log_tail, read_string(object, "log_tail", 16 << 10));
  record.instance = InstanceId(instance);
  record.run = RunNumber(static_cast<std::uint32_t>(run));
  record.host_boot_id = boot;
  record.shim = shim, record.vmm = vmm, record.device = device;
  record.start_error = start_error;
  record.exit = exit;
  record.host_oom = host_oom;
  record.log_tail = log_tail;
  TRY_VOID(read_counts(object, record));
  if (!object.contains("device_exit")) return record;
  TRY(device_exit, read_exit_status(object, "device_exit"));
  record.device_exit = device_exit;
  return record;
}

std::string encode_exit_record(const ExitRecord& record) { return dump_json_pretty(to_json(record)) + "\n"; }

Result<ExitRecord> parse_exit_record(std::string_view text) {
  TRY(object, parse_json(text));
  return read_record(object);
}

Result<ExitRecord> read_exit_record(const std::string& path) {
  std::ifstream file(path);
  if (!file) return Error::from_errno("open " + path, errno);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  auto record = parse_exit_record(text);
  if (!record) return Error(Errc::invalid, path + ": " + record.error().message());
  return record;
}

Result<void> write_exit_record(const std::string& path, const ExitRecord& record) {
  const std::string temporary = path + ".new";
  TRY_VOID(write_file(temporary, encode_exit_record(record)));
  if (::rename(temporary.c_str(), path.c_str()) != 0) return Error::from_errno("rename " + temporary, errno);
  sync_directory_of(path);
  return {};
}

}  // namespace vigil::shim
