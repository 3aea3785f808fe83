// Where a daemon keeps its things when nobody says otherwise; its client looks there too. Source: CONTRACTS "Host layout".
#pragma once

#include <filesystem>
#include <string>

namespace vigil {

struct DefaultPlaces {
  std::filesystem::path state;   // store, images, disks, logs
  std::filesystem::path run;     // sockets of running VMs
  std::string socket;            // of the API
};

/// As root /var/lib/vigil and /run/vigil; else the XDG state and runtime directories (without XDG_RUNTIME_DIR: /tmp/vigil-UID).
DefaultPlaces default_places();

}  // namespace vigil
