// VmEvent <-> type text and JSON body: what the store keeps and the API serves, byte for byte.
//
// Shape:  a report's body is the report's own JSON plus one member "report" {boot, epoch, seq, mono_us, channel, partial[, replaces]}.
// Errors: decode_event: Errc::invalid naming the member; an unknown type (a newer daemon wrote it) is Errc::unsupported.
#pragma once

#include "host/machine/vm_event.hpp"
#include "shared/base/result.hpp"

#include <string>

namespace vigil::machine {

struct EncodedEvent {
  EventSeq seq = 0;
  InstanceId instance;
  RunNumber run;
  std::string type;
  UnixUs at_unix_us = 0;
  MonoUs mono_us = 0;
  std::string body;                             // JSON object
  friend bool operator==(const EncodedEvent&, const EncodedEvent&) = default;
};

EncodedEvent encode_event(const VmEvent& event);
Result<VmEvent> decode_event(const EncodedEvent& event);

/// {"seq","instance","run","type","at_unix_us","mono_us","body"}: the `data` of an SSE message. Does not parse the body again.
std::string event_json(const EncodedEvent& event);

/// The body as it is kept on the disk: without what is for one user alone. Who listens while it happens has been told it; nobody reads it again.
std::string kept_body(const EncodedEvent& event);

/// event_json() without what is for one user alone (the address of a sign-in, which its session shows): for streams of events and black boxes.
std::string shown_event_json(const EncodedEvent& event);

}  // namespace vigil::machine
