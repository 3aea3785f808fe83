#include "host/vmm/firecracker/requests.hpp"

#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

namespace vigil::vmm::firecracker {

namespace {

using nlohmann::json;

ControlRequest put(std::string path, const json& body) { return {"PUT", std::move(path), dump_json(body)}; }
ControlRequest get(std::string path) { return {"GET", std::move(path), {}}; }
ControlRequest action(const char* type) { return put("/actions", {{"action_type", type}}); }
ControlRequest vm_state(const char* state) { return {"PATCH", "/vm", dump_json({{"state", state}})}; }

/// The names stand in the request's path and in its body; Firecracker wants letters, digits and underscores.
ControlRequest drive(std::size_t number, const Disk& disk, const std::string& path) {
  const std::string id = "disk" + std::to_string(number);
  const bool read_only = disk.access == Access::read_only;
  const bool flushes = !read_only && disk.flushes == Flushes::honoured;
  const json body = {{"drive_id", id},
                     {"path_on_host", path},
                     {"is_root_device", false},
                     {"is_read_only", read_only},
                     {"cache_type", flushes ? "Writeback" : "Unsafe"}};
  return put("/drives/" + id, body);
}

}  // namespace

std::vector<ControlRequest> boot_requests(const VmSpec& spec, const VmmPaths& paths) {
  std::vector<ControlRequest> requests;
  if (!paths.serial.empty()) requests.push_back(put("/serial", {{"serial_out_path", paths.serial}}));
  requests.push_back(put("/machine-config",
                         {{"vcpu_count", spec.vcpus}, {"mem_size_mib", spec.memory_mib}, {"smt", false}, {"track_dirty_pages", false}}));
  json source = {{"kernel_image_path", paths.kernel}, {"boot_args", spec.command_line}};
  if (!paths.initrd.empty()) source["initrd_path"] = paths.initrd;
  requests.push_back(put("/boot-source", source));
  for (std::size_t number = 0; number < spec.disks.size(); ++number)
    requests.push_back(drive(number, spec.disks[number], paths.disks[number]));
  requests.push_back(put("/vsock", {{"guest_cid", spec.cid}, {"uds_path", paths.vsock}}));
  requests.push_back(start_request());
  return requests;
}

ControlRequest start_request() { return action("InstanceStart"); }
ControlRequest ctrl_alt_del_request() { return action("SendCtrlAltDel"); }
ControlRequest pause_request() { return vm_state("Paused"); }
ControlRequest resume_request() { return vm_state("Resumed"); }
ControlRequest instance_request() { return get("/"); }
ControlRequest version_request() { return get("/version"); }

}  // namespace vigil::vmm::firecracker
