#include "host/egress/resolve.hpp"

#include "host/async/blocking.hpp"
#include "host/async/deadline.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>

namespace vigil::egress {

namespace asio = boost::asio;

namespace {

constexpr std::size_t max_addresses = 16;

Result<std::vector<Address>> ask_resolver(const std::string& name) {
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
        if (each->ai_family == AF_INET) address = from_ipv4(&reinterpret_cast<const sockaddr_in*>(each->ai_addr)->sin_addr);
        else if (each->ai_family == AF_INET6) address = from_ipv6(&reinterpret_cast<const sockaddr_in6*>(each->ai_addr)->sin6_addr);
        else continue;
        if (std::ranges::find(found, address) == found.end()) found.push_back(address);
    }
    if (found.empty()) return Error(Errc::not_found, "the name has no address");
    return found;
}

/// A step of its own, so that a late answer of the resolver finds nobody waiting.
asio::awaitable<Result<std::vector<Address>>> ask_on(asio::thread_pool* pool, std::string name) {
    const std::function<Result<std::vector<Address>>()> work = [name] { return ask_resolver(name); };
    auto found = co_await async::run_blocking<Result<std::vector<Address>>>(*pool, work);
    co_return found;
}

}  // namespace

asio::awaitable<Result<std::vector<Address>>> resolve(asio::thread_pool* pool, const machine::EgressPolicy* policy, std::string name, std::chrono::milliseconds limit) {
    if (const auto mapped = policy->hosts.find(name); mapped != policy->hosts.end()) {
        const auto address = parse_address(mapped->second);
        if (!address) co_return Error(Errc::not_found, "the policy maps it to something that is no address");
        co_return std::vector<Address>(1, *address);
    }
    auto work = ask_on(pool, std::move(name));
    auto found = co_await async::with_deadline(std::move(work), limit, "the resolver");
    co_return found;
}

}  // namespace vigil::egress
