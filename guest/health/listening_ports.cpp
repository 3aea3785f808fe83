#include "guest/health/listening_ports.hpp"

#include "guest/process/process_end.hpp"
#include "guest/process/process_group.hpp"

#include <unistd.h>

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

namespace vigil::guest::health {
namespace {

constexpr std::size_t most_reported = 256;   // what fits into a report

bool is_alive(pid_t pid) { return access(("/proc/" + std::to_string(pid)).c_str(), F_OK) == 0; }

}  // namespace

ListeningPorts::ListeningPorts(ReportSink& sink, Scope scope, std::function<std::string(pid_t)> service_of)
    : sink_(sink), scope_(scope), service_of_(std::move(service_of)) {}

void ListeningPorts::look() {
  const std::vector<process::Listener> listeners = process::read_listeners();
  find_owners(listeners);
  protocol::NetReport report;
  for (const process::Listener& listener : listeners) {
    const Owner& owner = owners_[listener.inode];
    if (scope_ == Scope::services && owner.service.empty()) continue;
    report.listeners.push_back({owner.service, owner.process, owner.pid, listener.address_text(), listener.port});
  }
  const auto order = [](const protocol::ListeningPort& each) { return std::tie(each.port, each.address, each.pid); };
  std::sort(report.listeners.begin(), report.listeners.end(),
            [&](const auto& left, const auto& right) { return order(left) < order(right); });
  if (report.listeners.size() > most_reported) {
    report.left_out = report.listeners.size() - most_reported;
    report.listeners.resize(most_reported);
  }
  if (report == reported_) return;
  reported_ = report;
  sink_.submit(std::move(report));
}

void ListeningPorts::find_owners(const std::vector<process::Listener>& listeners) {
  std::set<std::uint64_t> there, searched;
  for (const process::Listener& listener : listeners) there.insert(listener.inode);
  std::erase_if(owners_,
                [&](const auto& each) { return !there.contains(each.first) || (each.second.pid != 0 && !is_alive(each.second.pid)); });
  for (const std::uint64_t inode : there)
    if (!owners_.contains(inode)) searched.insert(inode);
  if (searched.empty()) return;
  const auto found = process::find_socket_owners(searched, process::all_pids());
  for (const std::uint64_t inode : searched) owners_[inode] = {};   // known to be nobody's, until it goes
  for (const auto& [inode, pid] : found) {
    const auto stat = process::read_stat(pid);
    owners_[inode] = {pid, stat ? stat->comm : "", service_of_ ? service_of_(pid) : ""};
  }
}

}  // namespace vigil::guest::health
