// What a desktop's page shows: how far the VM is, whether the screen can be attached, what is wrong in words, and which command to type.
//
// Shape:  a pure function of what is known of the VM. The desktop is the first service that has an rfb probe; the probe says the port.
#pragma once

#include "host/desktop/closing.hpp"
#include "host/machine/vm_state.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vigil::desktop {

enum class Phase {
  waiting,   // it will come by itself
  attach,    // the screen is there
  broken,    // the VM runs, its screen will not come by itself
  over,      // the VM does not run
  absent,    // the VM has no desktop
  removed,
};

struct View {
  struct Step {
    std::string name, progress;
    friend bool operator==(const Step&, const Step&) = default;
  };
  Phase phase = Phase::waiting;
  std::string vm, state, stage;        // stage: the one that is under way
  std::string sentence, command;
  std::uint16_t port = 0;              // to attach to
  std::uint32_t run = 0;
  bool run_ended = false;              // of that run; another may follow
  std::vector<Step> stages;
  std::vector<Step> unready;           // services beside the screen that are not ready, with their state
  friend bool operator==(const View&, const View&) = default;
};

/// nullptr: it was removed.
View view_of(const machine::VmState* state, std::size_t max_listed_services);
nlohmann::json view_json(const View& view);

/// Why somebody who wants to attach, or was attached to `attached_run`, is sent away; nullopt: nothing is in the way.
std::optional<Closing> closing_of(const View& view, std::optional<std::uint32_t> attached_run);

}  // namespace vigil::desktop

namespace vigil {
template <>
inline constexpr auto enum_table<desktop::Phase> = make_enum_table<desktop::Phase>({{desktop::Phase::waiting, "waiting"},
                                                                                    {desktop::Phase::attach, "attach"},
                                                                                    {desktop::Phase::broken, "broken"},
                                                                                    {desktop::Phase::over, "over"},
                                                                                    {desktop::Phase::absent, "absent"},
                                                                                    {desktop::Phase::removed, "removed"}});
}  // namespace vigil
