// Connections that the host dials to its guest, made by the shim for its daemon: a dial is never hung up before it is answered.
//
// Shape:  dial() begins; an answer comes for each, also for one whose daemon has gone meanwhile. The answer is connected, with the guest's bytes unread, or says why not.
// Why:    a vsock device may end over a dial that was given up (vhost-device-vsock 0.3.0 panics: its VM has no vsock from then on), and daemons are killed, or lose
//         patience, at any time. The shim is neither.
// Errors: a reason, empty when nobody is there: no device, no agent yet, it went away.
// Source: tech §1.3 (one write for CONNECT; every failure is an end of file).
#pragma once

#include "shared/base/unique_fd.hpp"

#include <cstdint>
#include <list>
#include <string>
#include <utility>
#include <vector>

namespace vigil::shim {

class GuestDials {
public:
  struct Answer {
    std::uint64_t client = 0, id = 0;  // as given to dial()
    UniqueFd socket;  // empty: `reason`
    std::string reason;
  };

  explicit GuestDials(std::string path) : path_(std::move(path)) {}

  /// One more than `max_dials` at once is answered with a reason.
  void dial(std::uint64_t client, std::uint64_t id, std::uint32_t port);
  /// To be watched for input.
  std::vector<int> descriptors() const;
  /// One of them has input, or has ended.
  void look(int descriptor);
  std::list<Answer> take_answers() { return std::exchange(answers_, {}); }

private:
  Answer connect(std::uint32_t port) const;

  std::string path_;
  std::list<Answer> open_;  // not answered yet
  std::list<Answer> answers_;
};

}  // namespace vigil::shim
