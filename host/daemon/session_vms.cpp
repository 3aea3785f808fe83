#include "host/daemon/session_vms.hpp"

namespace vigil::daemon {

namespace {
constexpr const char* session_label = "signin-session";
}

Result<InstanceId> SessionVms::make(const std::string& spec_json, const std::string& owner, const std::string& session) {
  for (const auto& look : registry_.existing()) {
    const auto label = look.row.spec.labels.find(session_label);
    const bool is_its_own = label != look.row.spec.labels.end() && label->second == session && look.row.spec.owner == owner;
    if (is_its_own) return look.row.id;   // by a daemon that did not live to write it down
  }
  TRY(spec, machine::parse_spec(spec_json));
  spec.name = InstanceName("signin-" + session);
  spec.owner = owner;
  spec.labels[session_label] = session;
  const auto actor = "session " + session;
  TRY(id, registry_.create(std::move(spec), actor));
  const auto started = registry_.start(id, actor);
  if (started) return id;
  registry_.remove(id, api::Removal::kill_first, actor, [](const Result<void>&) {});
  return started.error();
}

void SessionVms::remove(const InstanceId& id, const std::string& rule, std::function<void(Result<void>)> done) {
  registry_.remove(id, api::Removal::kill_first, rule, [done](Result<void> removed) {
    const bool is_gone = !removed && removed.error().code() == Errc::not_found;
    done(is_gone ? Result<void>() : std::move(removed));
  });
}

}  // namespace vigil::daemon
