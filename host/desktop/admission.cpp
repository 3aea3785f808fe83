#include "host/desktop/admission.hpp"

namespace vigil::desktop {

using Found = PermitLook::Found;

namespace {

std::string mend(const InstanceId& vm) { return "; type: vigil desktop " + vm.value(); }

}  // namespace

Admission::Admission(const Clock& clock, std::string cookie_key, const Limits& limits)
    : clock_(clock), ticket_key_(random_key()), cookie_key_(std::move(cookie_key)), limits_(limits) {}

std::string Admission::make_ticket(const InstanceId& vm) {
  return make_permit(ticket_key_, {Purpose::ticket, vm}, now_s() + static_cast<std::uint64_t>(limits_.ticket_life.count()));
}

std::variant<std::string, Closing> Admission::redeem(const InstanceId& vm, const std::string& ticket) {
  const auto now = now_s();
  std::erase_if(used_, [now](const auto& each) { return each.second <= now; });
  const auto look = look_at_permit(ticket_key_, {Purpose::ticket, vm}, ticket, now);
  if (look.found == Found::expired) return make_closing(CloseCode::not_authorised, "the ticket has expired" + mend(vm));
  if (look.found == Found::forged)
    return make_closing(CloseCode::not_authorised, "this is no ticket of this VM and this daemon" + mend(vm));
  if (!used_.emplace(look.nonce, look.expires_unix_s).second)
    return make_closing(CloseCode::ticket_used, "the ticket was used already" + mend(vm));
  return make_permit(cookie_key_, {Purpose::cookie, vm}, now + static_cast<std::uint64_t>(limits_.cookie_life.count()));
}

std::optional<Closing> Admission::refuse_cookie(const InstanceId& vm, const std::string& cookie) const {
  const auto look = look_at_permit(cookie_key_, {Purpose::cookie, vm}, cookie, now_s());
  if (look.found == Found::good) return std::nullopt;
  const std::string what = look.found == Found::expired ? "this page's permission has ended" : "this browser was not let in";
  return make_closing(CloseCode::not_authorised, what + mend(vm));
}

}  // namespace vigil::desktop
