// The VMs as sign-in sessions need them: made for one, found again, removed by its rule.
#pragma once

#include "host/daemon/vm_registry.hpp"
#include "host/sessions/vms.hpp"

namespace vigil::daemon {

class SessionVms final : public sessions::Vms {
public:
  explicit SessionVms(VmRegistry& registry) : registry_(registry) {}

  Result<InstanceId> make(const std::string& spec_json, const std::string& owner, const std::string& session) override;
  Result<InstanceId> make_cli(const std::string& spec_json, const std::string& owner, const std::string& user, const std::string& session) override;
  void remove(const InstanceId& id, const std::string& rule, std::function<void(Result<void>)> done) override;
  std::shared_ptr<const void> use(const InstanceId& id, const std::string& session) override {
    return registry_.use(id, policy::HolderKind::session, session);
  }
  bool is_in_use(const InstanceId& id) const override { return registry_.is_worked_in(id); }
  const machine::VmState* state_of(const InstanceId& id) const override { return registry_.state_of(id); }
  void open_stream(const InstanceId& id, std::string opening, std::function<void(Result<streams::GuestStream>)> done) override {
    registry_.open_stream(id, std::move(opening), std::move(done));
  }

private:
  std::optional<store::InstanceRow> made_before(const std::string& owner, const char* label, const std::string& value) const;
  Result<InstanceId> create(const std::string& spec_json, const std::string& owner, const std::string& session);

  VmRegistry& registry_;
};

}  // namespace vigil::daemon
