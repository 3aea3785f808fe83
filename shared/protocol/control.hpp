// The messages of the control link that are not reports. Source: CONTRACTS "Control link".
#pragma once

#include "shared/base/clock.hpp"
#include "shared/base/ids.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace vigil::protocol {

inline constexpr std::uint32_t link_port = 5252;        // the guest dials the host
inline constexpr std::uint32_t streams_port = 5253;     // the host dials the guest
inline constexpr std::uint32_t egress_port = 5254;      // the guest dials the host, once a connection that leaves the VM
inline constexpr std::uint32_t protocol_version = 1;

/// No more goes into one send() of a guest. Since Linux 6.17 (and the stable kernels that took it) a vsock packet over some 32 KiB leaves in several
/// descriptors, and devices that expect one lose it without a word (vhost-device-vsock 0.3.0, and others' of its age): the stream is then short of it for ever.
inline constexpr std::size_t max_guest_send_bytes = 28 * 1024;

/// Guest to host, first on every link. A token is required from the second link of a boot on.
struct Hello {
  std::vector<std::uint32_t> protocols;
  std::string agent_version, build_id, image_digest, kernel;
  std::vector<std::string> features;
  std::string phase;                 // "initrd" or "init": which life of the agent speaks
  Seq first_unacked = 1;             // everything before it the host has acknowledged
  std::string token;                 // empty on the first link of a boot
  friend bool operator==(const Hello&, const Hello&) = default;
};

struct GuestConfig {
  std::map<std::string, std::string> services;   // service name -> JSON text laid over its file (RFC 7396 merge; a probe is replaced whole)
  std::map<std::string, std::string> env;        // for every service
  std::map<std::string, std::string> secrets;    // name -> value; never logged
  std::string hostname;
  bool egress = false;                           // the agent is to serve the proxy on 127.0.0.1:3128
  friend bool operator==(const GuestConfig&, const GuestConfig&) = default;
};

/// Host to guest, the answer to a valid hello.
struct Welcome {
  std::uint32_t protocol = protocol_version;
  Epoch epoch = 0;
  std::string token;
  UnixUs wall_unix_us = 0;
  GuestConfig config;
  friend bool operator==(const Welcome&, const Welcome&) = default;
};

/// Everything up to seq is committed, or was reported as dropped.
struct Ack { Seq seq = 0; friend bool operator==(const Ack&, const Ack&) = default; };

/// Either side; the answer carries both clocks, which gives offset and round trip.
/// The host tells its wall clock too (0: it does not), for the guest has no other source.
struct Ping { std::uint64_t n = 0; MonoUs sender_us = 0; UnixUs wall_unix_us = 0; friend bool operator==(const Ping&, const Ping&) = default; };
struct Pong { std::uint64_t n = 0; MonoUs sender_us = 0; MonoUs answerer_us = 0; friend bool operator==(const Pong&, const Pong&) = default; };

/// Host to guest: op is "shutdown" {"kind":"poweroff|reboot"}, "service" {"name","action":"start|stop|restart|reload|signal","signal":"SIGHUP"}, "logs" {"name"} (the output
/// tails of the run that lives), "diagnose"; args is JSON text.
struct Request { std::uint64_t id = 0; std::string op; std::string args; friend bool operator==(const Request&, const Request&) = default; };
struct Reply { std::uint64_t id = 0; bool ok = false; std::string problem; std::string result; friend bool operator==(const Reply&, const Reply&) = default; };

}  // namespace vigil::protocol
