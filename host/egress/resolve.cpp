#include "host/egress/resolve.hpp"

namespace vigil::egress {

namespace asio = boost::asio;

asio::awaitable<Addresses> resolve(Lookups* lookups, const machine::EgressPolicy* policy, std::string name,
                                   std::chrono::milliseconds limit) {
  if (const auto mapped = policy->hosts.find(name); mapped != policy->hosts.end()) {
    const auto address = parse_address(mapped->second);
    if (!address) co_return Error(Errc::not_found, "the policy maps it to something that is no address");
    co_return std::vector<Address>(1, *address);
  }
  auto looking = lookups->find(std::move(name), limit);
  auto found = co_await std::move(looking);
  co_return found;
}

}  // namespace vigil::egress
