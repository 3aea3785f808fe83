#include "host/api/old_shapes.hpp"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace vigil::api {

using nlohmann::json;
using sessions::State;

std::string iso_time(UnixUs at) {
  constexpr std::uint64_t us_in_second = 1'000'000;
  const auto seconds = static_cast<std::time_t>(at / us_in_second);
  std::tm utc{};
  char text[32] = "", whole[48] = "";
  if (::gmtime_r(&seconds, &utc) == nullptr || std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc) == 0) return "";
  std::snprintf(whole, sizeof whole, "%s.%03uZ", text, static_cast<unsigned>(at / 1000 % 1000));
  return whole;
}

json iso_or_null(UnixUs at) { return at == 0 ? json(nullptr) : json(iso_time(at)); }

json last_heartbeat_of(const machine::VmState& state) {
  const auto& run = state.run;
  if (run && run->link_is_up && !run->end) return iso_time(SystemClock().unix_us());
  if (run && !run->link_is_up && run->link_lost_unix_us) return iso_time(*run->link_lost_unix_us);
  return nullptr;
}

const char* old_session_status(State state) {
  switch (state) {
    case State::vm_starting: return "started";
    case State::cli_starting:
    case State::waiting_for_address: return "ready";
    case State::waiting_for_user:
    case State::callback_seen:
    case State::storing:
    case State::delivering: return "awaiting_user_auth";
    case State::completed: return "completed";
    case State::failed: return "failed";
    case State::timed_out: return "timeout";
    case State::cancelled: return "cancelled";
  }
  std::abort();
}

}  // namespace vigil::api
