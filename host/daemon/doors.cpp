#include "host/daemon/doors.hpp"

#include "host/systemd/passed_sockets.hpp"

namespace vigil::daemon {

Result<Doors> take_doors(Places& places, int first) {
  TRY(passed, systemd::take_passed_sockets(first));
  Doors doors;
  for (auto& each : passed) {
    const bool is_api = each.name == "api";
    if (!is_api && each.name != "ports")
      return Error(Errc::invalid, "socket activation passes " + each.path + " under the name \"" + each.name +
                                      "\"; set FileDescriptorName=api (or ports) in its socket unit");
    auto& door = is_api ? doors.api : doors.ports;
    if (door)
      return Error(Errc::conflict,
                   "socket activation passes two sockets of the name " + each.name + "; keep one ListenStream= in its socket unit");
    door = std::move(each.socket);
    (is_api ? places.socket : places.ports) = each.path;
  }
  return doors;
}

}  // namespace vigil::daemon
