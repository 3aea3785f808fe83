// A service's secrets as files that only it can read: $CREDENTIALS_DIRECTORY, systemd's convention.
//
// Shape:  <runtime_dir>/credentials/<service>/<name>, mode 0400, owned by the service's user; written anew at each start. runtime_dir is a tmpfs.
// Errors: service.secret_unreadable{name}, with the reason as evidence; never with the value.
#pragma once

#include "guest/process/launch_plan.hpp"
#include "guest/supervisor/supervisor.hpp"

#include <string>
#include <variant>

namespace vigil::guest::supervisor {

/// The directory.
std::variant<std::string, protocol::Cause> write_credentials(const service_spec::ServiceSpec& spec, const SupervisorOptions& options,
                                                             const process::Credentials& owner);

}  // namespace vigil::guest::supervisor
