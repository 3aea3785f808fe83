#include "host/daemon/session_vms.hpp"

namespace vigil::daemon {

namespace {
constexpr const char* session_label = "signin-session";
constexpr const char* cli_label = "signin-cli-of";
}

/// One that a daemon made which did not live to write it down, or to start it.
std::optional<store::InstanceRow> SessionVms::made_before(const std::string& owner, const char* label_name, const std::string& value) const {
  for (const auto& look : registry_.existing()) {
    const auto label = look.row.spec.labels.find(label_name);
    if (label != look.row.spec.labels.end() && label->second == value && look.row.spec.owner == owner) return look.row;
  }
  return std::nullopt;
}

Result<InstanceId> SessionVms::make(const std::string& spec_json, const std::string& owner, const std::string& session) {
  const auto actor = "session " + session;
  const auto before = made_before(owner, session_label, session);
  if (before && before->last_run != RunNumber(0)) return before->id;
  auto id = before ? Result<InstanceId>(before->id) : create(spec_json, owner, session);
  if (!id) return id;
  const auto started = registry_.start(*id, actor);
  if (started) return id;
  registry_.remove(*id, api::Removal::kill_first, actor, [](const Result<void>&) {});
  return started.error();
}

Result<InstanceId> SessionVms::create(const std::string& spec_json, const std::string& owner, const std::string& session) {
  TRY(spec, machine::parse_spec(spec_json));
  spec.name = InstanceName("signin-" + session);
  spec.owner = owner;
  spec.labels[session_label] = session;
  return registry_.create(std::move(spec), "session " + session);
}

/// Its name is of the session that made it; whose it is says its label.
Result<InstanceId> SessionVms::make_cli(const std::string& spec_json, const std::string& owner, const std::string& user, const std::string& session) {
  const auto actor = "session " + session;
  const auto before = made_before(owner, cli_label, user);
  if (before && before->last_run != RunNumber(0)) return before->id;
  InstanceId id = before ? before->id : InstanceId();
  if (!before) {
    TRY(spec, machine::parse_spec(spec_json));
    spec.name = InstanceName("cli-" + session);
    spec.owner = owner;
    spec.labels[cli_label] = user;
    TRY(made, registry_.create(std::move(spec), actor));
    id = std::move(made);
  }
  if (const auto started = registry_.start(id, actor); !started) return started.error();
  return id;
}

void SessionVms::remove(const InstanceId& id, const std::string& rule, std::function<void(Result<void>)> done) {
  registry_.remove(id, api::Removal::kill_first, rule, [done](Result<void> removed) {
    const bool is_gone = !removed && removed.error().code() == Errc::not_found;
    done(is_gone ? Result<void>() : std::move(removed));
  });
}

}  // namespace vigil::daemon
