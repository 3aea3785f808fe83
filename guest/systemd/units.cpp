#include "guest/systemd/units.hpp"

#include "guest/log/log.hpp"
#include "guest/process/process_end.hpp"
#include "guest/process/small_file.hpp"
#include "shared/base/unique_fd.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace vigil::guest::systemd {
namespace {

using protocol::Cause;
using protocol::CauseCode;
using protocol::ServiceState;
using std::chrono::milliseconds;
using Kind = protocol::ByeReport::Kind;

constexpr std::size_t max_units = 200, max_failed_jobs = 16;
constexpr int max_target_depth = 4;
constexpr milliseconds longest_retry{5'000};
// A job that waits is named when the whole queue has stood still for the first, or when it has waited for the second.
constexpr milliseconds standstill{5'000}, patience{8'000};
constexpr std::array rescue_units = {"emergency.target", "emergency.service", "rescue.target"};

struct EndingTarget {
  std::string_view unit;
  Kind kind;
};
constexpr std::array ending_targets = {EndingTarget{"poweroff.target", Kind::poweroff}, EndingTarget{"halt.target", Kind::poweroff},
                                       EndingTarget{"reboot.target", Kind::reboot}, EndingTarget{"kexec.target", Kind::reboot}};

MonoUs us(milliseconds time) { return static_cast<MonoUs>(std::chrono::microseconds(time).count()); }

bool is_in(const std::string& path, const std::string& folder) { return path.starts_with(folder + "/"); }

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  return begin == text.npos ? std::string_view() : text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

bool says_no(std::string_view value) { return value == "no" || value == "false" || value == "off" || value == "0"; }

}  // namespace

UnitWishes parse_wishes(std::string_view text) {
  UnitWishes wishes;
  bool is_ours = false;
  while (!text.empty()) {
    const std::string_view line = trimmed(text.substr(0, text.find('\n')));
    text.remove_prefix(std::min(text.size(), text.find('\n') == text.npos ? text.size() : text.find('\n') + 1));
    if (line.starts_with('[')) is_ours = line == "[X-Vigil]";
    const std::size_t equals = line.find('=');
    if (!is_ours || line.starts_with('#') || line.starts_with(';') || equals == line.npos) continue;
    const std::string_view key = trimmed(line.substr(0, equals)), value = trimmed(line.substr(equals + 1));
    if (key == "Adopt") wishes.adopt = !says_no(value);
    if (key == "Essential") wishes.essential = !says_no(value);
    if (key == "Ready") wishes.ready = value;
    if (key == "ReadyTimeout") wishes.ready_timeout = value;
  }
  return wishes;
}

Units::Units(EventLoop& loop, ReportSink& sink, process::Launcher& launcher, process::Reaper& reaper, UnitsOptions options)
    : loop_(loop),
      sink_(sink),
      options_(std::move(options)),
      words_(loop, launcher, reaper, milliseconds(2'000) * options_.deadline_scale, options_.words),
      listeners_(loop, options_.tracefs),
      tools_{loop, launcher, reaper, listeners_, options_.deadline_scale, "/run/vigil", [this](pid_t pid) { return name_process(pid); }},
      context_{loop, sink, words_, tools_, options_.deadline_scale, [this] { evaluate_soon(); }},
      news_(options_.is_first_life),
      moved_us_(loop.now_us()) {}

void Units::start(supervisor::SupervisorEvents events) {
  events_ = std::move(events);
  keep_secrets();
  for (const std::string& name : options_.overridden) {
    protocol::ServiceReport report;
    report.name = ServiceName(name);
    report.state = ServiceState::failed;
    report.since_us = loop_.now_us();
    report.cause = protocol::make_cause(CauseCode::service_spec_invalid, {{"file", "services." + name}, {"key", name}},
                                        {"this VM's init is systemd: change the unit in its image, or use an image whose init is pid1"});
    sink_.submit(report);
    if (events_.essential_failed) events_.essential_failed(report);
  }
  connect();
}

void Units::keep_secrets() {
  if (options_.secrets.empty()) return;
  ::mkdir(options_.credential_folder.c_str(), 0700);
  for (const auto& [name, value] : options_.secrets) {
    const std::string path = options_.credential_folder + "/" + name;
    const bool is_plain = name.find('/') == name.npos && !name.starts_with('.') && !name.empty();
    UniqueFd file(is_plain ? ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0400) : -1);
    const bool is_kept = file && ::write(file.get(), value.data(), value.size()) == static_cast<ssize_t>(value.size());
    if (!is_kept) log::error("secret.not_kept", {{"name", name}});
  }
}

// ---- the connection ----

void Units::connect() {
  ManagerBus::Events events;
  events.changed = [this](const std::string& path, dbus::BodyReader& properties, bool is_last) { take_change(path, properties, is_last); };
  events.job_new = [this](const std::string& unit) { job_new(unit); };
  events.job_removed = [this](const std::string& unit, const std::string& result) { job_removed(unit, result); };
  events.reloaded = [this] { read_everything(); };
  events.lost = [this](const std::string& why) { lost(why); };
  auto bus = ManagerBus::open(loop_, options_.socket, std::move(events));
  if (!bus) return lost(bus.error().message());
  bus_ = std::move(*bus);
  is_connected_ = true;
  bus_->subscribe();
  std::vector<std::string> environment;
  for (const auto& [name, value] : options_.env) environment.push_back(name + "=" + value);
  bus_->set_environment(environment);
  read_everything();
}

void Units::lost(const std::string& why) {
  log::warning("systemd.lost", {{"err", why}});
  is_connected_ = false;
  loading_ = 0;
  retry_timer_ = loop_.after(retry_, [this] {
    bus_.reset();
    connect();
  });
  retry_ = std::min(retry_ * 2, longest_retry);
}

void Units::read_everything() {
  for (const char* unit : rescue_units) watch_rescue(unit);
  load_target("default.target", 0);
}

void Units::watch_rescue(const std::string& unit) {
  ++loading_;
  bus_->load(unit, false, [this, unit](Result<UnitFacts> facts) {
    if (facts) rescue_[object_path_of(unit)] = std::move(*facts);
    tell_rescue();
    loaded();
  });
}

void Units::load_target(const std::string& unit, int depth) {
  ++loading_;
  bus_->load(unit, false, [this, depth](Result<UnitFacts> facts) {
    if (!facts) {
      log::error("systemd.no_target", {{"err", facts.error().message()}});
      return loaded();
    }
    const std::string target = facts->id;
    if (depth == 0) {
      default_target_ = target;
      AdoptedUnit& adopted = adopt(target, AdoptedUnit::Kind::target, true);
      adopted.facts() = *facts;
      adopted.changed(news_);
    }
    for (const auto* list : {&facts->wants, &facts->requires_}) {
      for (const std::string& wanted : *list) {
        const bool is_milestone = wanted == "basic.target" || wanted == "sysinit.target";
        if (wanted.ends_with(".service"))
          load_service(wanted, target);
        else if (wanted.ends_with(".target") && !is_milestone && depth < max_target_depth)
          load_target(wanted, depth + 1);
      }
    }
    loaded();
  });
}

void Units::load_service(const std::string& unit, const std::string& target) {
  ++loading_;
  bus_->load(unit, true, [this, unit, target](Result<UnitFacts> facts) {
    take_service(unit, target, std::move(facts));
    loaded();
  });
}

void Units::take_service(const std::string& unit, const std::string& target, Result<UnitFacts> facts) {
  if (!facts) return log::warning("systemd.no_unit", {{"unit", unit}, {"err", facts.error().message()}});
  const std::string link = options_.admin_folder + "/" + target + ".wants/" + unit;
  const bool is_admins =
      is_in(facts->fragment_path, options_.admin_folder) || ::faccessat(AT_FDCWD, link.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
  if (!is_admins || facts->load_state == "masked") return;
  const auto wishes = parse_wishes(process::read_small_file(facts->fragment_path, 64 << 10).value_or(""));
  if (!wishes.adopt) return;
  const std::string id = facts->id.empty() ? unit : facts->id;
  const auto twin = find_named(ServiceName(service_name_of(id)));
  const bool has_a_name = !service_name_of(id).empty() && (!twin || (*twin)->unit() == id);
  if (!has_a_name || (find(id) == nullptr && units_.size() >= max_units)) return log::warning("systemd.not_adopted", {{"unit", id}});
  AdoptedUnit& adopted = adopt(id, AdoptedUnit::Kind::service, wishes.essential);
  adopted.is_essential(wishes.essential);
  adopted.facts() = std::move(*facts);
  adopted.wishes_for(parse_probe_wishes(adopted.facts().fragment_path, wishes.ready, wishes.ready_timeout));
  adopted.changed(news_);
}

void Units::loaded() {
  if (loading_ == 0 || --loading_ > 0) return;
  retry_ = milliseconds(100);
  if (!std::exchange(all_known_, true)) log::info("systemd.adopted", {{"units", units_.size()}, {"target", default_target_}});
  news_ = true;
  evaluate_soon();
}

AdoptedUnit& Units::adopt(const std::string& unit, AdoptedUnit::Kind kind, bool essential) {
  if (AdoptedUnit* const known = find(unit)) return *known;
  units_.push_back(std::make_unique<AdoptedUnit>(unit, kind, essential, context_));
  by_path_[object_path_of(unit)] = units_.back().get();
  return *units_.back();
}

// ---- what systemd tells ----

void Units::take_change(const std::string& path, dbus::BodyReader& properties, bool is_last) {
  if (const auto found = by_path_.find(path); found != by_path_.end()) {
    take_properties(found->second->facts(), properties);
    if (is_last) found->second->changed();
  } else if (const auto rescue = rescue_.find(path); rescue != rescue_.end()) {
    take_properties(rescue->second, properties);
    tell_rescue();
  }
}

void Units::job_new(const std::string& unit) {
  moved_us_ = loop_.now_us();
  for (const EndingTarget& target : ending_targets)
    if (unit == target.unit) ending_ = target.kind;
}

void Units::job_removed(const std::string& unit, const std::string& result) {
  moved_us_ = loop_.now_us();
  for (const EndingTarget& target : ending_targets)
    if (unit == target.unit && result != "done") ending_.reset();   // it was called off
  const bool has_failed = result == "failed" || result == "timeout" || result == "dependency";
  if (has_failed) {
    if (failed_jobs_.size() >= max_failed_jobs) failed_jobs_.erase(failed_jobs_.begin());
    failed_jobs_.push_back(unit + ": " + result);
  }
  AdoptedUnit* const adopted = find(unit);
  if (adopted != nullptr && result == "failed") adopted->start_failed();
  if (adopted != nullptr && result == "dependency") {
    const std::string first = failed_jobs_.front().substr(0, failed_jobs_.front().find(": "));
    std::vector<std::string> lines = failed_jobs_;
    if (const auto device = device_of(first))
      adopted->could_not_start(protocol::make_cause(CauseCode::unit_device_timeout, {{"device", *device}}, std::move(lines)));
    else
      adopted->could_not_start(protocol::make_cause(CauseCode::unit_failed, {{"unit", first}}, std::move(lines)));
  }
  tell_rescue();
  evaluate_soon();
}

/// Emergency mode is a state of the whole machine: it is told as what keeps the default target from being reached.
void Units::tell_rescue() {
  AdoptedUnit* const target = find(default_target_);
  if (target == nullptr) return;
  const bool is_rescue = std::any_of(rescue_.begin(), rescue_.end(), [](const auto& entry) {
    return entry.second.active_state == "active" || entry.second.active_state == "activating";
  });
  if (is_rescue && !ending_)
    target->overruled(protocol::make_cause(CauseCode::unit_emergency_mode, {}, failed_jobs_));
  else
    target->overruled({});
}

// ---- stages ----

void Units::evaluate_soon() {
  if (!evaluation_) evaluation_ = loop_.after(milliseconds(0), [this] { evaluate(); });
}

void Units::evaluate() {
  evaluation_.cancel();
  if (ending_) return;
  bool all_work = all_known_ && options_.overridden.empty();
  for (const auto& unit : units_) {
    if (!unit->is_essential()) continue;
    all_work = all_work && unit->works();
    const auto report = unit->report();
    bool& was_told = failures_told_[unit->unit()];
    const bool is_failed = report.state == ServiceState::failed;
    if (is_failed && !was_told && unit->has_more_to_tell()) continue;   // the VM's failure is said once, with all that is known of it
    if (is_failed && !std::exchange(was_told, true) && events_.essential_failed) events_.essential_failed(report);
    was_told = is_failed;
  }
  const AdoptedUnit* const target = find(default_target_);
  const bool is_reached = target != nullptr && target->report().state == ServiceState::ready;
  if (all_work && is_reached && events_.essentials_ready) std::exchange(events_.essentials_ready, nullptr)();
  look_for_blocked(loop_.now_us());
}

void Units::look_for_blocked(MonoUs now) {
  blocked_timer_.cancel();
  if (!is_connected_) return;
  const auto scale = static_cast<MonoUs>(options_.deadline_scale);
  const MonoUs again = now + us(standstill) * scale;
  MonoUs next = 0;
  for (const auto& unit : units_) {
    const MonoUs since = unit->waits_since_us();
    if (since == 0) continue;
    const MonoUs due = std::min(std::max(moved_us_, since) + us(standstill) * scale, since + us(patience) * scale);
    if (due <= now) look_at(*unit);
    const MonoUs look = due > now ? due : again;
    next = next == 0 ? look : std::min(next, look);
  }
  if (next != 0)
    blocked_timer_ = loop_.after_us(std::chrono::microseconds(next - now + 1000), [this] { look_for_blocked(loop_.now_us()); });
}

void Units::look_at(AdoptedUnit& unit) {
  find_blockage(*bus_, unit.facts().job, [this, name = unit.unit()](const Chain& chain) {
    AdoptedUnit* const adopted = find(name);
    if (adopted == nullptr || chain.empty()) return;
    auto blockage = name_blockage(name, chain);
    // A target that waits for one of ours says nothing that this one does not say itself.
    const bool is_echo = adopted->kind() == AdoptedUnit::Kind::target &&
                         std::any_of(chain.begin(), chain.end(), [this](const Job& job) { return find(job.unit) != nullptr; });
    adopted->blocked({blockage.waits_for}, is_echo ? std::nullopt : std::optional(std::move(blockage.cause)));
  });
}

AdoptedUnit* Units::find(const std::string& unit) const {
  const auto found = std::find_if(units_.begin(), units_.end(), [&](const auto& each) { return each->unit() == unit; });
  return found == units_.end() ? nullptr : found->get();
}

}  // namespace vigil::guest::systemd
