// The values of an instance's secrets, sealed beside its spec: a daemon that comes later masks them as before, and gives them to the guest again.
//
// Shape:  instances/ID/secrets.sealed: "VS1", 12 bytes of nonce, 16 of tag, the JSON object {NAME: VALUE} under AES-256-GCM; the instance's id is bound as associated data.
//         The key: the systemd credential `vigil-master-key` when there is one, else STATE/master.key (0600), made at the first use. Who has the disk but not the key has nothing.
// Errors: Errc::io for a file that was damaged, or sealed under another key or for another instance; those of the system.
#pragma once

#include "host/daemon/places.hpp"

#include <map>
#include <string>

namespace vigil::daemon {

using Secrets = std::map<std::string, std::string>;

/// Nothing is written when there are none.
Result<void> keep_secrets(const Places& places, const InstanceId& id, const Secrets& secrets);
/// Empty when none were kept.
Result<Secrets> read_kept_secrets(const Places& places, const InstanceId& id);

}  // namespace vigil::daemon
