#include "shared/service_spec/parse.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace vigil::service_spec {

namespace {

using protocol::CauseCode;

/// Depth first over after, requires and wants; what is finished is put behind all that it needs.
class Sorter {
public:
  explicit Sorter(const std::map<ServiceName, ServiceSpec>& services) : services_(services) {
    for (const auto& [name, spec] : services_) visit(name);
  }
  const std::vector<ServiceName>& order() const { return order_; }
  const std::vector<std::string>& cycles() const { return cycles_; }   // "a -> b -> a"
  const std::set<ServiceName>& in_cycle() const { return in_cycle_; }

private:
  enum class Mark { open, done };

  void visit(const ServiceName& name) {
    const auto known = marks_.find(name);
    if (known != marks_.end()) {
      if (known->second == Mark::open) note_cycle(name);
      return;
    }
    marks_[name] = Mark::open;
    path_.push_back(name);
    const auto& spec = services_.at(name);
    for (const auto* needs : {&spec.requires_ready, &spec.after, &spec.wants})
      for (const auto& needed : *needs)
        if (services_.contains(needed)) visit(needed);
    path_.pop_back();
    marks_[name] = Mark::done;
    order_.push_back(name);
  }

  void note_cycle(const ServiceName& name) {
    std::string text;
    for (auto each = std::find(path_.begin(), path_.end(), name); each != path_.end(); ++each) {
      text += each->value() + " -> ";
      in_cycle_.insert(*each);
    }
    text += name.value();
    if (std::find(cycles_.begin(), cycles_.end(), text) == cycles_.end()) cycles_.push_back(std::move(text));
  }

  const std::map<ServiceName, ServiceSpec>& services_;
  std::map<ServiceName, Mark> marks_;
  std::vector<ServiceName> path_;   // from the first visited to the one that is looked at
  std::vector<ServiceName> order_;
  std::vector<std::string> cycles_;
  std::set<ServiceName> in_cycle_;
};

/// A dependency must have a file, be it a wrong one: that is its own error.
void note_missing(const ServiceSpec& spec, const std::set<ServiceName>& known, SpecSet& set, std::set<ServiceName>& broken) {
  const auto check = [&](const char* key, const std::vector<ServiceName>& names) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (known.contains(names[i])) continue;
      set.errors.push_back(
          spec_invalid(spec.file, {std::string(key) + "[" + std::to_string(i) + "]", "there is no service '" + names[i].value() + "'"}));
      broken.insert(spec.name);
    }
  };
  check("after", spec.after);
  check("requires", spec.requires_ready);
}

}  // namespace

void order_services(std::vector<ServiceSpec> specs, const std::set<ServiceName>& known, SpecSet& set) {
  std::set<ServiceName> broken;
  for (const auto& spec : specs) note_missing(spec, known, set, broken);
  std::map<ServiceName, ServiceSpec> services;
  for (auto& spec : specs)
    if (!broken.contains(spec.name)) services.emplace(spec.name, std::move(spec));

  const Sorter sorter(services);
  for (const auto& cycle : sorter.cycles())
    set.errors.push_back(protocol::make_cause(CauseCode::service_dependency_cycle, {{"path", cycle}}));
  for (const auto& name : sorter.order())
    if (!sorter.in_cycle().contains(name)) set.services.push_back(std::move(services.at(name)));
}

}  // namespace vigil::service_spec
