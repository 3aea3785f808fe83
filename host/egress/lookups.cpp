#include "host/egress/lookups.hpp"

#include "host/async/notification.hpp"

#include <boost/asio/post.hpp>

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace vigil::egress {

namespace asio = boost::asio;

namespace {

constexpr std::size_t max_addresses = 16;

Addresses ask_resolver(const std::string& name) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* list = nullptr;
  const int failure = ::getaddrinfo(name.c_str(), nullptr, &hints, &list);
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(list, [](addrinfo* each) {
    if (each != nullptr) ::freeaddrinfo(each);
  });
  if (failure != 0) return Error(Errc::not_found, ::gai_strerror(failure));
  std::vector<Address> found;
  for (const auto* each = list; each != nullptr && found.size() < max_addresses; each = each->ai_next) {
    Address address;
    if (each->ai_family == AF_INET)
      address = from_ipv4(&reinterpret_cast<const sockaddr_in*>(each->ai_addr)->sin_addr);
    else if (each->ai_family == AF_INET6)
      address = from_ipv6(&reinterpret_cast<const sockaddr_in6*>(each->ai_addr)->sin6_addr);
    else
      continue;
    if (std::ranges::find(found, address) == found.end()) found.push_back(address);
  }
  if (found.empty()) return Error(Errc::not_found, "the name has no address");
  return found;
}

}  // namespace

struct Lookups::Lookup {
  Lookup(std::string wanted, const asio::any_io_executor& executor) : name(std::move(wanted)), told(executor) {}
  std::string name;
  std::optional<Addresses> found;
  bool is_wanted = true;
  async::Notification told;
};

Lookups::Lookups(asio::any_io_executor executor, asio::thread_pool& pool, Ask ask)
    : executor_(std::move(executor)), pool_(pool), ask_(ask ? std::move(ask) : Ask(ask_resolver)) {}

asio::awaitable<Addresses> Lookups::find(std::string name, std::chrono::milliseconds limit) {
  const auto self = shared_from_this();   // who asked may go, and its VM too
  const auto lookup = std::make_shared<Lookup>(std::move(name), executor_);
  struct Leave {
    Lookup& left;
    ~Leave() { left.is_wanted = false; }
  } const leave{*lookup};
  if (at_work_ < max_at_once)
    start(lookup);
  else
    waiting_.push_back(lookup);
  const auto until = std::chrono::steady_clock::now() + limit;
  while (!lookup->found) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    if (left.count() <= 0) co_return Error(Errc::timeout, "the resolver: no answer within " + std::to_string(limit.count()) + " ms");
    co_await lookup->told.wait_for(left);
  }
  co_return std::move(*lookup->found);
}

/// The pool's thread keeps nothing of the event thread's: it hands all back.
void Lookups::start(const std::shared_ptr<Lookup>& lookup) {
  ++at_work_;
  asio::post(pool_, [self = shared_from_this(), lookup, ask = ask_, name = lookup->name]() mutable {
    Addresses found = ask(name);
    const auto executor = self->executor_;
    asio::post(executor, [self = std::move(self), lookup = std::move(lookup), found = std::move(found)]() mutable {
      self->ended(lookup, std::move(found));
    });
  });
}

void Lookups::ended(const std::shared_ptr<Lookup>& lookup, Addresses found) {
  lookup->found = std::move(found);
  lookup->told.notify();
  --at_work_;
  while (!waiting_.empty() && at_work_ < max_at_once) {
    const auto next = std::move(waiting_.front());
    waiting_.pop_front();
    if (next->is_wanted) start(next);
  }
}

}  // namespace vigil::egress
