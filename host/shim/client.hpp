// One client of the shim (the daemon): commands in, console and events out.
//
// Shape:  what a client has not read yet stays where it is, in the bounded console: a client that does not read costs at most one piece of memory
//         and delays nobody; when the console has moved on, it is told how many bytes it missed.
// Errors: a client that breaks the wire, or that lets more than 256 KiB of events pile up, is closed.
#pragma once

#include "host/shim/bounded_writer.hpp"
#include "host/shim/shim_wire.hpp"
#include "shared/base/unique_fd.hpp"
#include "shared/framing/frame.hpp"

#include <cstdint>
#include <deque>
#include <utility>
#include <string>
#include <vector>

namespace vigil::shim {

class Client {
public:
  Client(UniqueFd socket, std::uint64_t serial) : serial_(serial), socket_(std::move(socket)) {}

  std::uint64_t serial() const { return serial_; }
  int fd() const { return socket_.get(); }
  bool is_attached() const { return attached_; }
  bool is_open() const { return static_cast<bool>(socket_); }
  /// True when there is something to send to it: ask poll for POLLOUT then.
  bool wants_write(const BoundedWriter& console) const;
  /// It has all of the console and the Ended event.
  bool is_told() const { return told_ && out_.empty(); }

  /// Commands that arrived. Closes itself at the end of the stream.
  std::vector<Command> receive();
  void attach(const Attach& attach);
  void send(const ShimEvent& event);
  bool wants_dialled() const { return is_open() && attached_ && wants_dialled_; }
  /// Wants who dials, and reads: a guest that dials without end cannot cost it its place.
  bool takes_dialled() const;
  void send_dialled(std::uint32_t port, UniqueFd socket);
  /// A dial of the host's that was answered.
  void send_answer(const Answered& answered, UniqueFd socket);
  struct Passing {
    std::size_t at = 0;        // goes along with that byte of what is to be sent
    std::uint32_t port = 0;    // the guest has dialled; 0: the host has
    UniqueFd socket;
  };
  /// No more sockets may be on their way just now (ETOOMANYREFS): pump() again soon.
  bool is_stalled() const { return stalled_; }
  /// Of a client that is closed: whom it was not given.
  std::deque<Passing> take_unsent() { return std::exchange(passing_, {}); }
  /// Sends as much as the socket takes, at most about a MiB at a time. `ended` follows the last console byte; nullptr: not yet.
  void pump(const BoundedWriter& console, const ExitRecord* ended);

private:
  bool refill(const BoundedWriter& console, const ExitRecord* ended);
  bool flush();

  std::uint64_t serial_;
  UniqueFd socket_;
  framing::FrameReader reader_{max_command_bytes};
  std::string out_;
  std::deque<Passing> passing_;
  std::uint64_t next_ = 0;   // the next console offset to send
  bool attached_ = false, wants_dialled_ = false;
  bool told_ = false, stalled_ = false;
};

}  // namespace vigil::shim
