// Follows a run on the event stream until it is decided, printing each stage and service as it happens.
#include "host/cli/commands.hpp"
#include "host/cli/view.hpp"
#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <set>
#include <string_view>

namespace vigil::cli {

using nlohmann::json;

namespace {

/// "qemu 7.2.22 on tcg (/dev/kvm: No such file or directory)"
std::string vmm_detail(const json& body) {
  const auto version = text(body, "vmm_version");
  return text(body, "vmm") + (version.empty() ? "" : " " + version) + " on " + text(body, "accelerator") + " (" + text(body, "why") + ")";
}

class BootWatch {
public:
  BootWatch(std::uint32_t run, bool quiet) : run_(run), quiet_(quiet) {}

  /// False when the run is decided.
  bool take(const json& event) {
    if (number(event, "run") != run_) return true;
    at_us_ = number(event, "at_unix_us");
    const auto type = text(event, "type");
    const auto& body = event.at("body");
    if (type == "start_requested") start_us_ = at_us_;
    if (type == "vmm_started") return line("vmm", vmm_detail(body));
    if (type == "console_finding" && text(body, "kind") == "linux_version") return line("kernel", text(body, "text").substr(0, 60));
    if (type == "stage" && text(body, "phase") == "done") return line(text(body, "stage"), text(body, "detail"));
    if (type == "service") return service(body);
    if (type == "state") return state(body);
    return true;
  }
  const std::string& decided() const { return decided_; }

private:
  bool line(const std::string& what, const std::string& detail) {
    if (!quiet_ && said_.insert(what).second) {
      std::printf("  %9s  %-10s %s\n", milliseconds((at_us_ - start_us_) / 1000).c_str(), what.c_str(), detail.c_str());
      std::fflush(stdout);
    }
    return true;
  }
  bool service(const json& body) {
    const auto now = text(body, "state");
    if (now != "ready" && now != "failed" && now != "backoff") return true;
    const auto cause = body.find("cause");
    std::string detail = now;
    if (now != "ready" && cause != body.end() && cause->is_object()) detail += ": " + text(*cause, "code");
    if (!quiet_ && said_.insert(text(body, "name") + detail).second) {
      std::printf("  %9s    %-8s %s\n", milliseconds((at_us_ - start_us_) / 1000).c_str(), text(body, "name").c_str(), detail.c_str());
      std::fflush(stdout);
    }
    return true;
  }
  bool state(const json& body) {
    const auto now = text(body, "state");
    if (now == "booting" || now == "unready") return true;
    if (now == "stopped" && text(body, "power") == "starting") return true;
    decided_ = now;
    line(now, "");
    return false;
  }

  std::uint32_t run_;
  bool quiet_;
  std::int64_t start_us_ = 0, at_us_ = 0;
  std::set<std::string> said_;
  std::string decided_;
};

void print_verdict(const json& vm, const json& why) {
  const auto verdict = why.find("verdict");
  std::printf("\n%s is %s", text(vm, "name").c_str(), text(vm, "state").c_str());
  if (verdict == why.end() || !verdict->is_object()) {
    std::printf("\n");
    return;
  }
  const auto service = text(*verdict, "service");
  std::printf("%s%s\n", service.empty() ? "" : ", because of the service ", service.c_str());
  print_cause(verdict->at("cause"), "  ");
}

}  // namespace

int watch_boot(Cli& cli, const std::string& id, std::uint32_t run) {
  auto client = cli.client();
  const auto began = client.get(instance_path(id));
  if (!began) return fail(began.error());
  if (!cli.json) std::printf("%s (%s), image %s\n", text(*began, "name").c_str(), id.c_str(), short_image(text(*began, "image")).c_str());
  BootWatch watch(run, cli.json);
  const auto followed = client.follow("/v1/events?instance=" + segment(id), [&watch](const StreamedEvent& streamed) {
    const auto event = parse_json(streamed.data);
    return !event || !event->contains("body") || watch.take(*event);
  });
  if (!followed) return fail(followed.error());
  const auto vm = client.get(instance_path(id));
  const auto why = client.get(instance_path(id) + "/why?run=" + std::to_string(run));
  if (!vm) return fail(vm.error());
  if (!why) return fail(why.error());
  const bool good = watch.decided() == "ready" || watch.decided() == "degraded";
  if (cli.json) print_json(*vm);
  else if (watch.decided() != "ready") print_verdict(*vm, *why);
  return good ? 0 : exit_failed;
}

}  // namespace vigil::cli
