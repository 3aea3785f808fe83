// A QMP connection: commands with their replies, events as they come.
//
// Thread: the daemon's event thread. Errors: Errc::unavailable when QEMU goes, Errc::timeout when it does not answer, Errc::protocol when it breaks
//         the protocol (the connection is closed then), Errc::invalid when it refuses a command.
#pragma once

#include "host/async/task_group.hpp"
#include "host/vmm/qemu/qmp_message.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <memory>
#include <string>

namespace vigil::vmm::qemu {

class QmpClient {
public:
  QmpClient(boost::asio::any_io_executor executor, OnVmmEvent on_event);
  QmpClient(const QmpClient&) = delete;
  QmpClient& operator=(const QmpClient&) = delete;
  ~QmpClient();

  /// Connects and negotiates; once.
  boost::asio::awaitable<Result<void>> open(std::string path);
  /// The value of the reply, as JSON text. `arguments`: JSON text of an object; empty: none.
  boost::asio::awaitable<Result<std::string>> execute(std::string command, std::string arguments = {});
  /// Closes; no event follows. Call it before destruction when open() was called.
  boost::asio::awaitable<void> stop();

  const std::string& version() const;

private:
  struct Impl;                                  // keeps Asio's sockets out of this header
  std::unique_ptr<Impl> impl_;
};

}  // namespace vigil::vmm::qemu
