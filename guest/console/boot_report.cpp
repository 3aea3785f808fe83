#include "guest/console/boot_report.hpp"

#include <cstdio>

namespace vigil::guest::console {
namespace {

std::string seconds(MonoUs us) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f s", static_cast<double>(us) / 1e6);
  return text;
}

std::string service_line(const protocol::ServiceReport& service) {
  char head[160];
  std::snprintf(head, sizeof head, "vigil:   %-16s %-9s", service.name.value().c_str(), std::string(to_text(service.state)).c_str());
  std::string line = head;
  for (const auto& probe : service.probes) {
    line += ' ' + probe.probe;
    line += probe.passed && probe.passed_us ? " at " + seconds(*probe.passed_us) : probe.passed ? " passed" : " not passed";
  }
  if (service.pid > 0) line += " pid " + std::to_string(service.pid);
  if (service.restarts > 0) line += " restarts " + std::to_string(service.restarts);
  if (!service.essential) line += " (optional)";
  line += '\n';
  if (service.cause) line += "vigil:     " + service.cause->text + ": " + protocol::sentence(*service.cause) + '\n';
  return line;
}

}  // namespace

std::string boot_report(const BootSummary& summary) {
  std::string text = summary.ready ? "vigil: ready after " : "vigil: not ready after ";
  text += seconds(summary.now_us) + ", link " + summary.link + ", " + std::to_string(summary.services.size()) + " services\n";
  if (summary.cause) {
    text += "vigil:   " + summary.cause->text + ": " + protocol::sentence(*summary.cause) + '\n';
    text += "vigil:   advice: " + protocol::advice(*summary.cause) + '\n';
  }
  for (const auto& service : summary.services) text += service_line(service);
  return text;
}

}  // namespace vigil::guest::console
