#include "guest/supervisor/launch_preparation.hpp"

#include "guest/evidence/program_file.hpp"
#include "guest/process/accounts.hpp"
#include "guest/supervisor/credentials.hpp"

#include <cstring>
#include <utility>
#include <variant>

namespace vigil::guest::supervisor {
namespace {

using process::LaunchStep;
using protocol::Cause;
using protocol::CauseCode;
using protocol::make_cause;

Cause wrong_key(const service_spec::ServiceSpec& spec, const std::string& key, const std::string& why) {
  return make_cause(CauseCode::service_spec_invalid, {{"file", spec.file}, {"key", key}}, {why});
}

void overlay(std::map<std::string, std::string>& env, const std::map<std::string, std::string>& with) {
  for (const auto& [name, value] : with) env[name] = value;
}

std::variant<process::LaunchPlan, Cause> make_plan(const service_spec::ServiceSpec& spec, const SupervisorOptions& options) {
  const Result<process::Account> account = process::look_up_account(spec.user, spec.group);
  if (!account) return wrong_key(spec, "user", account.error().message());
  const process::Credentials& credentials = account->credentials;

  std::map<std::string, std::string> env = process::environment_of(*account);
  overlay(env, options.env);
  overlay(env, spec.env);
  if (!spec.secrets.empty()) {
    auto directory = write_credentials(spec, options, credentials);
    if (auto* cause = std::get_if<Cause>(&directory)) return std::move(*cause);
    env["CREDENTIALS_DIRECTORY"] = std::get<std::string>(directory);
  }

  process::LaunchPlan plan;
  plan.argv = spec.exec;
  for (const auto& [name, value] : env) plan.env.push_back(name + "=" + value);
  plan.cwd = spec.cwd;
  plan.capabilities = spec.capabilities;
  plan.no_new_privs = spec.no_new_privs;
  plan.nofile = spec.limits.nofile;
  // Not asked for another user, we stay who we are: outside a VM the agent need not be root.
  if (spec.user != "root" || !spec.group.empty()) plan.credentials = credentials;
  return plan;
}

}  // namespace

std::optional<Cause> LaunchPreparation::prepare() {
  const process::AccountFilesStamp stamp = process::stamp_account_files();   // before they are read
  if (!plan_.argv.empty() && spec_.secrets.empty() && stamp.is_settled && stamp == stamp_) return std::nullopt;
  auto made = make_plan(spec_, options_);
  if (auto* cause = std::get_if<Cause>(&made)) return std::move(*cause);
  plan_ = std::get<process::LaunchPlan>(std::move(made));
  stamp_ = stamp;
  return std::nullopt;
}

LaunchProblem explain_launch_failure(const service_spec::ServiceSpec& spec, const process::LaunchFailure& failure) {
  const std::string why = std::strerror(failure.error);
  switch (failure.step) {
    case LaunchStep::exec: return {evidence::explain_exec_failure(spec.exec.front(), failure.error)};
    case LaunchStep::cwd: return {wrong_key(spec, "cwd", spec.cwd + ": " + why)};
    case LaunchStep::limits: return {wrong_key(spec, "limits", why)};
    case LaunchStep::capabilities: return {wrong_key(spec, "capabilities", why)};
    case LaunchStep::groups:
    case LaunchStep::user: return {wrong_key(spec, "user", spec.user + ": " + why)};
    case LaunchStep::clone:
    case LaunchStep::session:
    case LaunchStep::terminal:
    case LaunchStep::descriptors: break;   // the system is short of something; that may pass
  }
  return {make_cause(CauseCode::unknown, {{"seen", std::string(to_text(failure.step)) + ": " + why}}), false};
}

}  // namespace vigil::guest::supervisor
