// What an instance is: the validated create body, kept for the instance's whole life.
//
// Shape:  the members of CONTRACTS' create body; `image` is split into name and digest, and the digest is always there once the image was resolved.
//         Values in `services` are JSON texts (merge patches of the service files); `egress` is JSON text or empty.
// Units:  *_mib MiB; deadlines_ms milliseconds, already scaled (they replace the scaled default of that stage); lease_s seconds, 0 = none.
// Errors: parse_spec: Errc::invalid for an unknown member, a wrong type or a value out of range; the message names the member.
// Source: CONTRACTS "API and CLI". `deadlines_ms` {STAGE: ms} and `kernel_args` are ours.
#pragma once

#include "shared/base/ids.hpp"
#include "shared/base/result.hpp"
#include "shared/protocol/state.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace vigil::machine {

enum class VmmChoice { automatic, qemu, firecracker };
enum class RestartPolicy { never, on_failure, always };

struct InstanceSpec {
  InstanceName name;
  std::string image_name;
  std::string image_digest;                     // lower-case hex; may be a prefix or empty in a create body, full afterwards
  std::uint32_t vcpus = 1;
  std::uint32_t memory_mib = 256;
  std::uint32_t disk_mib = 1024;                // of the writable overlay disk; 0: none, what it writes is in its memory and ends with the run
  bool ephemeral = false;
  VmmChoice vmm = VmmChoice::automatic;
  std::map<std::string, std::string> services;  // service name -> JSON text
  std::map<std::string, std::string> env;
  std::map<std::string, std::string> secrets;   // name -> value; values never leave through encode_spec
  RestartPolicy restart = RestartPolicy::never;
  std::uint32_t restart_limit = 10;             // runs in a row that failed and were not ready for a minute, 1 s to 60 s apart; then it is left as it is: policy.restarts_exhausted
  bool autostart = false;
  std::uint32_t lease_s = 0;                    // of a run; then it is stopped, unless somebody needs it
  std::uint32_t idle_s = 0;                     // unused for so long: it is stopped; 0 = never
  std::uint32_t expire_s = 0;                   // has not run for so long: it is removed; 0 = never
  std::string egress;
  std::map<std::string, std::string> labels;
  std::map<protocol::Stage, std::chrono::milliseconds> deadlines_ms;
  std::string kernel_args;                      // appended to the kernel command line
  std::string owner;                            // who may see it beside admins; empty: nobody (the local admin made it)
  std::string create_key, create_sum;           // of the request that made it: Idempotency-Key, and what tells one request from another
  friend bool operator==(const InstanceSpec&, const InstanceSpec&) = default;
};

/// A create body, or what encode_spec wrote. A missing `name` stays empty: the caller invents one.
Result<InstanceSpec> parse_spec(std::string_view json);

/// Without the values of secrets ({"NAME":null}), which parse_spec reads back as empty.
std::string encode_spec(const InstanceSpec& spec);

/// "minimal@<digest>", or "minimal" while the digest is not known.
std::string image_reference(const InstanceSpec& spec);

}  // namespace vigil::machine

namespace vigil {
template <> inline constexpr auto enum_table<machine::VmmChoice> = make_enum_table<machine::VmmChoice>({
    {machine::VmmChoice::automatic, "auto"}, {machine::VmmChoice::qemu, "qemu"}, {machine::VmmChoice::firecracker, "firecracker"}});
template <> inline constexpr auto enum_table<machine::RestartPolicy> = make_enum_table<machine::RestartPolicy>({
    {machine::RestartPolicy::never, "never"}, {machine::RestartPolicy::on_failure, "on-failure"}, {machine::RestartPolicy::always, "always"}});
}  // namespace vigil
