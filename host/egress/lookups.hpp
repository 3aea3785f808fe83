// Lookups in the host's resolver for one VM. It blocks and cannot be interrupted: whoever asked is told when his time is up, and the lookup ends when it ends.
//
// Shape:  at most `max_at_once` of a VM, those that nobody waits for any more included; the next wait their turn, within their own time. So a VM whose names are never
//         answered keeps the others' from the pool no more than that.
// Thread: the event thread; the resolver on the pool's.
// Errors: Errc::not_found with the resolver's words, Errc::timeout.
#pragma once

#include "host/egress/address.hpp"
#include "shared/base/result.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace vigil::egress {

using Addresses = Result<std::vector<Address>>;

class Lookups : public std::enable_shared_from_this<Lookups> {
public:
  using Ask = std::function<Addresses(const std::string& name)>;
  static constexpr std::size_t max_at_once = 4;

  /// `ask` blocks; the host's own resolver where it is not given.
  Lookups(boost::asio::any_io_executor executor, boost::asio::thread_pool& pool, Ask ask = {});
  Lookups(const Lookups&) = delete;
  Lookups& operator=(const Lookups&) = delete;

  boost::asio::awaitable<Addresses> find(std::string name, std::chrono::milliseconds limit);

private:
  struct Lookup;

  void start(const std::shared_ptr<Lookup>& lookup);
  void ended(const std::shared_ptr<Lookup>& lookup, Addresses found);

  boost::asio::any_io_executor executor_;
  boost::asio::thread_pool& pool_;
  Ask ask_;
  std::size_t at_work_ = 0;
  std::deque<std::shared_ptr<Lookup>> waiting_;
};

}  // namespace vigil::egress
