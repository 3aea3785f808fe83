#include "host/daemon/secret_masking.hpp"

#include "host/logs/masker.hpp"
#include "shared/base/overloaded.hpp"

#include <vector>

namespace vigil::daemon {

namespace {

using Values = std::vector<std::string>;

void mask_text(std::string& text, const Values& values) { text = logs::masked(std::move(text), values); }

void mask_cause(std::optional<protocol::Cause>& cause, const Values& values) {
    if (!cause) return;
    for (auto& line : cause->evidence) mask_text(line, values);
    for (auto& [name, field] : cause->fields)
        if (auto* text = std::get_if<std::string>(&field)) mask_text(*text, values);
}

void mask_cause(protocol::Cause& cause, const Values& values) {
    std::optional<protocol::Cause> masked(std::move(cause));
    mask_cause(masked, values);
    cause = std::move(*masked);
}

void mask_report(protocol::ReportBody& report, const Values& values) {
    std::visit(Overloaded{[&](protocol::StageReport& stage) {
                              mask_text(stage.detail, values);
                              mask_cause(stage.cause, values);
                          },
                          [&](protocol::ServiceReport& service) { mask_cause(service.cause, values); },
                          [&](protocol::CrashReport& crash) {
                              mask_text(crash.stdout_tail, values);
                              mask_text(crash.stderr_tail, values);
                              mask_cause(crash.cause, values);
                              if (crash.victim) mask_text(crash.victim->command_line, values);
                          },
                          [&](protocol::HealthReport& health) {
                              for (auto& cause : health.causes) mask_cause(cause, values);
                          },
                          [&](protocol::SigninReport& signin) {
                              mask_text(signin.detail, values);
                              mask_text(signin.screen, values);
                              mask_cause(signin.cause, values);
                          },
                          [&](protocol::OtherReport& other) { mask_text(other.json, values); }, [](protocol::CrashTrace&) {}, [](protocol::NetReport&) {},
                          [](protocol::DroppedReport&) {}, [](protocol::ByeReport&) {}},
               report);
}

}  // namespace

void mask_secrets(machine::EventBody& body, const std::map<std::string, std::string>& secrets) {
    auto* const reported = std::get_if<machine::Reported>(&body);
    if (reported == nullptr || secrets.empty()) return;
    Values values;
    for (const auto& secret : secrets) values.push_back(secret.second);
    mask_report(reported->report.body, values);
}

}  // namespace vigil::daemon
