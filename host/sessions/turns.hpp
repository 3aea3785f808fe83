// One at a time for each VM: who comes while another is at it waits for its end.
//
// Shape:  `auto turn = co_await turns.take(vm);` the turn ends with what it gave. Those who wait come in no order.
// Thread: the event thread. A turn may outlive the Turns.
#pragma once

#include "host/async/notification.hpp"
#include "shared/base/ids.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <map>
#include <memory>
#include <vector>

namespace vigil::sessions {

class Turns {
public:
  explicit Turns(boost::asio::any_io_executor executor) : executor_(std::move(executor)), table_(std::make_shared<Table>()) {}
  using Turn = std::shared_ptr<void>;
  boost::asio::awaitable<Turn> take(InstanceId vm);

private:
  struct Table {
    std::map<InstanceId, std::vector<std::shared_ptr<async::Notification>>> taken;  // and who waits for it
  };
  boost::asio::any_io_executor executor_;
  std::shared_ptr<Table> table_;
};

}  // namespace vigil::sessions
