// What a black box's index says of crashes, and equal ones over runs and VMs put together.
#pragma once

#include "host/api/vm_control.hpp"

#include <nlohmann/json_fwd.hpp>

#include <map>
#include <memory>
#include <string>

namespace vigil::api {

/// {"fingerprint","crash","service","process","code","sentence","where","at_unix_us"} a death; the end of a VM that crashed or failed is one, too (crash "vm").
nlohmann::json crash_index_json(const machine::VmState& state);

/// Groups by fingerprint, the most frequent first.
class CrashGroups {
  public:
    void add(const std::string& instance, std::uint32_t run, const nlohmann::json& crash_index);
    nlohmann::json list() const;

  private:
    static constexpr std::size_t max_groups = 4096, max_places = 20;
    std::map<std::string, std::shared_ptr<nlohmann::json>> groups_;
};

}  // namespace vigil::api
