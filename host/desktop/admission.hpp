// Who may see the desktop of which VM: a ticket goes in once and becomes a cookie.
//
// Shape:  tickets live a minute and die with the daemon; a cookie belongs to one browser and one VM for half a day and outlives the daemon. Of a ticket that was
//         used its nonce is remembered until it would have expired anyway.
// Thread: the event thread.
#pragma once

#include "host/desktop/closing.hpp"
#include "host/desktop/limits.hpp"
#include "host/desktop/permit.hpp"
#include "shared/base/clock.hpp"

#include <map>
#include <optional>
#include <string>
#include <variant>

namespace vigil::desktop {

class Admission {
public:
  Admission(const Clock& clock, std::string cookie_key, const Limits& limits);

  std::string make_ticket(const InstanceId& vm);
  /// The cookie for it; else why not: not_authorised (also when it has expired), ticket_used.
  std::variant<std::string, Closing> redeem(const InstanceId& vm, const std::string& ticket);
  /// nullopt: the cookie is good.
  std::optional<Closing> refuse_cookie(const InstanceId& vm, const std::string& cookie) const;

private:
  std::uint64_t now_s() const { return clock_.unix_us() / 1'000'000; }

  const Clock& clock_;
  std::string ticket_key_, cookie_key_;
  Limits limits_;
  std::map<std::string, std::uint64_t> used_;  // nonce -> when it would expire; as many as tickets were redeemed within one ticket's life
};

}  // namespace vigil::desktop
