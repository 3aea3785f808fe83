#include "host/daemon/vm_uses.hpp"

#include "shared/streams/opening.hpp"

#include <algorithm>

namespace vigil::daemon {

namespace {
constexpr std::string_view port_use = "port ";
}

bool is_work(const policy::Holder& use) {
  return use.kind == policy::HolderKind::exec || (use.kind == policy::HolderKind::stream && use.name.starts_with(port_use));
}

policy::Holder use_of(std::string_view opening) {
  constexpr std::size_t long_enough = 64;
  const auto decoded = streams::decode_opening(opening);
  if (!decoded) return {policy::HolderKind::stream, "", 0};
  if (const auto* const exec = std::get_if<streams::ExecOpening>(&*decoded))
    return {policy::HolderKind::exec, exec->argv.empty() ? "shell" : exec->argv.front().substr(0, long_enough), 0};
  if (std::holds_alternative<streams::AttachOpening>(*decoded)) return {policy::HolderKind::exec, "attached", 0};
  if (const auto* const tcp = std::get_if<streams::TcpOpening>(&*decoded))
    return {policy::HolderKind::stream, std::string(port_use) + std::to_string(tcp->port), 0};
  return {policy::HolderKind::stream, "files", 0};
}

std::shared_ptr<const void> VmUses::begin(const InstanceId& id, policy::HolderKind kind, std::string name) {
  const auto number = ++next_;
  touch(id);
  table_->uses[id].now.emplace(number, policy::Holder{kind, std::move(name), 0});
  if (table_->changed) table_->changed(id);
  const auto end = [table = std::weak_ptr<Table>(table_), id, number, &clock = clock_](const void*) {
    const auto living = table.lock();
    if (!living) return;
    const auto uses = living->uses.find(id);
    if (uses == living->uses.end()) return;
    uses->second.now.erase(number);
    uses->second.last = clock.unix_us();
    if (living->changed) living->changed(id);
  };
  return std::shared_ptr<const void>(static_cast<const void*>(table_.get()), end);
}

void VmUses::touch(const InstanceId& id) { table_->uses[id].last = clock_.unix_us(); }

std::vector<policy::Holder> VmUses::holders(const InstanceId& id) const {
  std::vector<policy::Holder> holders;
  if (const auto found = table_->uses.find(id); found != table_->uses.end())
    for (const auto& each : found->second.now) holders.push_back(each.second);
  return holders;
}

UnixUs VmUses::last_used(const InstanceId& id) const {
  const auto found = table_->uses.find(id);
  if (found == table_->uses.end()) return since_;
  if (!found->second.now.empty()) return clock_.unix_us();
  return std::max(since_, found->second.last);
}

}  // namespace vigil::daemon
