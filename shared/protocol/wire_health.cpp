#include "shared/protocol/wire.hpp"

namespace vigil::protocol::wire {

namespace {

json pressure_to_json(const Pressure& pressure) {
  return object_of("cpu_permille", pressure.cpu_permille, "memory_permille", pressure.memory_permille, "memory_full_permille",
                   pressure.memory_full_permille, "io_permille", pressure.io_permille, "io_full_permille", pressure.io_full_permille);
}

Result<std::optional<Pressure>> read_pressure_if_any(const json& object) {
  const auto member = object.find("pressure");
  if (member == object.end()) return std::optional<Pressure>();
  if (!member->is_object()) return Error(Errc::invalid, "pressure: not an object");
  TRY(cpu, read_int_or<std::uint32_t>(*member, "cpu_permille", 0));
  TRY(memory, read_int_or<std::uint32_t>(*member, "memory_permille", 0));
  TRY(memory_full, read_int_or<std::uint32_t>(*member, "memory_full_permille", 0));
  TRY(io, read_int_or<std::uint32_t>(*member, "io_permille", 0));
  TRY(io_full, read_int_or<std::uint32_t>(*member, "io_full_permille", 0));
  return std::optional(Pressure{cpu, memory, memory_full, io, io_full});
}

}  // namespace

json to_json(const FileSystemHealth& file_system) {
  return object_of("mount", text(file_system.mount, max_detail_bytes), "total_kib", number(file_system.total_kib), "available_kib",
                   number(file_system.available_kib), "inodes", number(file_system.inodes), "inodes_available",
                   number(file_system.inodes_available));
}

Result<FileSystemHealth> parse_file_system(const json& object) {
  TRY(mount, read_string(object, "mount", max_detail_bytes));
  TRY(total, read_int_or<std::uint64_t>(object, "total_kib", 0));
  TRY(available, read_int_or<std::uint64_t>(object, "available_kib", 0));
  TRY(inodes, read_int_or<std::uint64_t>(object, "inodes", 0));
  TRY(inodes_available, read_int_or<std::uint64_t>(object, "inodes_available", 0));
  return FileSystemHealth{std::move(mount), total, available, inodes, inodes_available};
}

json to_json(const ProcessHealth& process) {
  return object_of("pid", process.pid, "name", text(process.name, 64), "service", text(process.service, 64), "cpu_permille",
                   process.cpu_permille, "rss_kib", number(process.rss_kib));
}

Result<ProcessHealth> parse_process(const json& object) {
  TRY(pid, read_int<std::int64_t>(object, "pid"));
  TRY(name, read_text_or(object, "name", "", 256));
  TRY(service, read_text_or(object, "service", "", 64));
  TRY(cpu, read_int_or<std::uint32_t>(object, "cpu_permille", 0));
  TRY(rss, read_int_or<std::uint64_t>(object, "rss_kib", 0));
  return ProcessHealth{pid, std::move(name), std::move(service), cpu, rss};
}

json to_json(const KernelMessage& message) {
  return object_of("at_us", number(message.at_us), "level", message.level, "text", text(message.text, max_detail_bytes));
}

Result<KernelMessage> parse_kernel_message(const json& object) {
  TRY(at, read_int_or<MonoUs>(object, "at_us", 0));
  TRY(level, read_int_or<std::uint32_t>(object, "level", 3));
  TRY(words, read_string(object, "text", max_detail_bytes));
  return KernelMessage{at, level, std::move(words)};
}

json to_json(const HealthReport& report) {
  json object =
      object_of("memory_total_kib", number(report.memory_total_kib), "memory_available_kib", number(report.memory_available_kib),
                "root_total_kib", number(report.root_total_kib), "root_available_kib", number(report.root_available_kib), "load1_permille",
                report.load1_permille, "processes", report.processes, "causes", list_of(report.causes, max_health_causes));
  if (report.memory_peak_kib != 0) object["memory_peak_kib"] = number(report.memory_peak_kib);
  if (!report.file_systems.empty()) object["file_systems"] = list_of(report.file_systems, max_file_systems);
  if (!report.top.empty()) object["top"] = list_of(report.top, max_top);
  if (!report.kernel.empty()) object["kernel"] = list_of(report.kernel, max_kernel_messages);
  if (report.kernel_lost != 0) object["kernel_lost"] = number(report.kernel_lost);
  if (report.pressure) object["pressure"] = pressure_to_json(*report.pressure);
  if (report.clock_offset_us) object["clock_offset_us"] = std::clamp(*report.clock_offset_us, -max_json_integer, max_json_integer);
  return object;
}

Result<HealthReport> parse_health(const json& object) {
  HealthReport report;
  TRY(memory_total, read_int_or<std::uint64_t>(object, "memory_total_kib", 0));
  TRY(memory_available, read_int_or<std::uint64_t>(object, "memory_available_kib", 0));
  TRY(memory_peak, read_int_or<std::uint64_t>(object, "memory_peak_kib", 0));
  TRY(root_total, read_int_or<std::uint64_t>(object, "root_total_kib", 0));
  TRY(root_available, read_int_or<std::uint64_t>(object, "root_available_kib", 0));
  TRY(load1, read_int_or<std::uint32_t>(object, "load1_permille", 0));
  TRY(processes, read_int_or<std::uint32_t>(object, "processes", 0));
  TRY(pressure, read_pressure_if_any(object));
  TRY(file_systems, read_list<FileSystemHealth>(object, "file_systems", max_file_systems, parse_file_system));
  TRY(top, read_list<ProcessHealth>(object, "top", max_top, parse_process));
  TRY(kernel, read_list<KernelMessage>(object, "kernel", max_kernel_messages, parse_kernel_message));
  TRY(kernel_lost, read_int_or<std::uint64_t>(object, "kernel_lost", 0));
  TRY(offset, try_read_integer(object, "clock_offset_us", -max_json_integer, max_json_integer));
  TRY(causes, read_list<Cause>(object, "causes", max_health_causes, parse_cause));
  return HealthReport{memory_total,   memory_available,  root_total,  root_available, load1,
                      processes,      std::move(causes), memory_peak, pressure,       std::move(file_systems),
                      std::move(top), std::move(kernel), kernel_lost, offset};
}

json to_json(const ListeningPort& port) {
  return object_of("service", text(port.service, 64), "process", text(port.process, 64), "pid", port.pid, "address", text(port.address, 64),
                   "port", port.port);
}

Result<ListeningPort> parse_listening_port(const json& object) {
  TRY(service, read_text_or(object, "service", "", 64));
  TRY(process, read_text_or(object, "process", "", 256));
  TRY(pid, read_int_or<std::int64_t>(object, "pid", 0));
  TRY(address, read_text_or(object, "address", "", 64));
  TRY(port, read_int<std::uint16_t>(object, "port"));
  return ListeningPort{std::move(service), std::move(process), pid, std::move(address), port};
}

json to_json(const NetReport& report) {
  return object_of("listeners", list_of(report.listeners, max_listeners), "left_out", number(report.left_out));
}

Result<NetReport> parse_net(const json& object) {
  TRY(listeners, read_list<ListeningPort>(object, "listeners", max_listeners, parse_listening_port));
  TRY(left_out, read_int_or<std::uint64_t>(object, "left_out", 0));
  return NetReport{std::move(listeners), left_out};
}

}  // namespace vigil::protocol::wire
