// The names of things that guest and host agree on.
//
// Source: CONTRACTS "Identity, instance, run". An instance lives for years; a run is one VMM life of it; a boot is one kernel life.
#pragma once

#include "shared/base/result.hpp"
#include "shared/base/strong.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace vigil {

using InstanceId = Strong<struct InstanceIdTag, std::string>;    // "vm-" + 10 characters of lower-case Crockford base32
using InstanceName = Strong<struct InstanceNameTag, std::string>;  // [a-z0-9][a-z0-9-]{0,62}
using ServiceName = Strong<struct ServiceNameTag, std::string>;  // [a-z0-9][a-z0-9._-]{0,62}
using BootId = Strong<struct BootIdTag, std::string>;            // /proc/sys/kernel/random/boot_id
using RunNumber = Strong<struct RunNumberTag, std::uint32_t>;    // 1, 2, ... of one instance
using SigninSessionId = Strong<struct SigninSessionIdTag, std::string>;   // [a-z0-9][a-z0-9-]{0,62}: the host gives it, the guest repeats it
using Seq = std::uint64_t;                                       // report number within (instance, run, epoch, boot); starts at 1
using Epoch = std::uint32_t;                                     // 0, raised by each restore

/// "vm-" + Crockford base32 of 50 of the given random bits.
InstanceId make_instance_id(std::uint64_t random_bits);

Result<InstanceId> parse_instance_id(std::string_view text);
Result<InstanceName> parse_instance_name(std::string_view text);
Result<ServiceName> parse_service_name(std::string_view text);
/// Of one VM: what a directory of service files may hold, the host keeps and a stream of logs asks for.
inline constexpr std::size_t max_services = 2048;
Result<SigninSessionId> parse_signin_session_id(std::string_view text);
/// 8-4-4-4-12 lower-case hex.
Result<BootId> parse_boot_id(std::string_view text);

}  // namespace vigil
