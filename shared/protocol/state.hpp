// The states and stages that guest, host, store, API and command line spell alike. Source: CONTRACTS "States", "Stages and deadlines".
#pragma once

#include "shared/base/enum_names.hpp"

#include <chrono>
#include <optional>

namespace vigil::protocol {

enum class Power { stopped, starting, running, paused, hibernated, stopping };
enum class RunState { crashed, failed, stopped, booting, unready, degraded, ready };
enum class Liveness { ok, suspect, unresponsive };
enum class Outcome { clean, failed, crashed, destroyed, unknown };   // of an ended run
enum class ServiceState { waiting, starting, ready, unready, stopping, stopped, backoff, failed };
enum class Stage { vmm, kernel, initrd, rootfs, agent, services, ready };
enum class Accelerator { kvm, tcg };

inline constexpr Stage all_stages[] = {Stage::vmm, Stage::kernel, Stage::initrd, Stage::rootfs, Stage::agent, Stage::services, Stage::ready};

/// How long a stage may take after the one before it was reached, on KVM; nullopt: its deadline is that of its services.
std::optional<std::chrono::milliseconds> stage_deadline(Stage stage);
inline constexpr std::chrono::milliseconds service_ready_deadline{30'000};

/// Times-outs scale with the accelerator: kvm 1, tcg 10.
int deadline_scale(Accelerator accelerator);

}  // namespace vigil::protocol

namespace vigil {
template <> inline constexpr auto enum_table<protocol::Power> = make_enum_table<protocol::Power>({
    {protocol::Power::stopped, "stopped"}, {protocol::Power::starting, "starting"}, {protocol::Power::running, "running"},
    {protocol::Power::paused, "paused"}, {protocol::Power::hibernated, "hibernated"}, {protocol::Power::stopping, "stopping"}});
template <> inline constexpr auto enum_table<protocol::RunState> = make_enum_table<protocol::RunState>({
    {protocol::RunState::crashed, "crashed"}, {protocol::RunState::failed, "failed"}, {protocol::RunState::stopped, "stopped"},
    {protocol::RunState::booting, "booting"}, {protocol::RunState::unready, "unready"}, {protocol::RunState::degraded, "degraded"},
    {protocol::RunState::ready, "ready"}});
template <> inline constexpr auto enum_table<protocol::Liveness> = make_enum_table<protocol::Liveness>({
    {protocol::Liveness::ok, "ok"}, {protocol::Liveness::suspect, "suspect"}, {protocol::Liveness::unresponsive, "unresponsive"}});
template <> inline constexpr auto enum_table<protocol::Outcome> = make_enum_table<protocol::Outcome>({
    {protocol::Outcome::clean, "clean"}, {protocol::Outcome::failed, "failed"}, {protocol::Outcome::crashed, "crashed"},
    {protocol::Outcome::destroyed, "destroyed"}, {protocol::Outcome::unknown, "unknown"}});
template <> inline constexpr auto enum_table<protocol::ServiceState> = make_enum_table<protocol::ServiceState>({
    {protocol::ServiceState::waiting, "waiting"}, {protocol::ServiceState::starting, "starting"}, {protocol::ServiceState::ready, "ready"},
    {protocol::ServiceState::unready, "unready"}, {protocol::ServiceState::stopping, "stopping"}, {protocol::ServiceState::stopped, "stopped"},
    {protocol::ServiceState::backoff, "backoff"}, {protocol::ServiceState::failed, "failed"}});
template <> inline constexpr auto enum_table<protocol::Stage> = make_enum_table<protocol::Stage>({
    {protocol::Stage::vmm, "vmm"}, {protocol::Stage::kernel, "kernel"}, {protocol::Stage::initrd, "initrd"}, {protocol::Stage::rootfs, "rootfs"},
    {protocol::Stage::agent, "agent"}, {protocol::Stage::services, "services"}, {protocol::Stage::ready, "ready"}});
template <> inline constexpr auto enum_table<protocol::Accelerator> = make_enum_table<protocol::Accelerator>({
    {protocol::Accelerator::kvm, "kvm"}, {protocol::Accelerator::tcg, "tcg"}});
}  // namespace vigil
