#include "guest/systemd/unit_facts.hpp"

#include "shared/base/ids.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <csignal>
#include <string_view>
#include <utility>

namespace vigil::guest::systemd {
namespace {

using protocol::ServiceState;

constexpr std::size_t max_text_bytes = 1024, max_dependencies = 1024;

struct ExecStep {
  std::int32_t code;
  std::string_view what;
};

// systemd.exec(5), "Process Exit Codes": what went wrong before the program ran.
constexpr std::array exec_steps = {ExecStep{200, "its working directory is not there"},
                                   ExecStep{203, "the program could not be executed"},
                                   ExecStep{205, "a resource limit could not be set"},
                                   ExecStep{208, "its standard input could not be opened"},
                                   ExecStep{209, "its standard output could not be opened"},
                                   ExecStep{216, "there is no such group"},
                                   ExecStep{217, "there is no such user"},
                                   ExecStep{219, "its control group could not be made"},
                                   ExecStep{226, "its name spaces could not be made"},
                                   ExecStep{233, "its runtime directory could not be made"},
                                   ExecStep{238, "its state directory could not be made"},
                                   ExecStep{243, "its credentials could not be made"}};

std::string read_text(dbus::BodyReader& value) { return std::string(value.text().substr(0, max_text_bytes)); }

std::vector<std::string> read_texts(dbus::BodyReader& value) {
  std::vector<std::string> texts;
  value.each([&texts](dbus::BodyReader& each) {
    std::string text = read_text(each);
    if (texts.size() < max_dependencies) texts.push_back(std::move(text));
  });
  return texts;
}

/// ExecStart is a(sasbttttuii).
std::string read_program(dbus::BodyReader& value) {
  std::string program;
  value.each([&program](dbus::BodyReader& command) {
    command.members([&program](dbus::BodyReader& member) {
      if (program.empty()) program = read_text(member);
    });
  });
  return program;
}

std::string read_invocation(dbus::BodyReader& value) {
  std::string digits;
  constexpr std::size_t most_digits = 32;
  value.each([&digits](dbus::BodyReader& byte) {
    const auto number = byte.number() & 0xff;
    if (digits.size() < most_digits) digits += {"0123456789abcdef"[number >> 4], "0123456789abcdef"[number & 15]};
  });
  return digits;
}

bool take_text(UnitFacts& facts, std::string_view name, dbus::BodyReader& value) {
  std::string* const text = name == "Id"             ? &facts.id
                            : name == "FragmentPath" ? &facts.fragment_path
                            : name == "LoadState"    ? &facts.load_state
                            : name == "ActiveState"  ? &facts.active_state
                            : name == "SubState"     ? &facts.sub_state
                            : name == "Restart"      ? &facts.restart
                            : name == "Result"       ? &facts.result
                                                     : nullptr;
  if (text == nullptr || value.next() != 's') return false;
  *text = read_text(value);
  return true;
}

bool take_number(UnitFacts& facts, std::string_view name, dbus::BodyReader& value) {
  if (std::string_view("butix").find(value.next()) == std::string_view::npos) return false;
  if (name == "StateChangeTimestampMonotonic")
    facts.state_changed_us = value.number();
  else if (name == "StartLimitBurst")
    facts.start_limit_burst = static_cast<std::uint32_t>(value.number());
  else if (name == "StartLimitIntervalUSec")
    facts.start_limit_interval_us = value.number();
  else if (name == "CanReload")
    facts.can_reload = value.number() != 0;
  else if (name == "NRestarts")
    facts.restarts = static_cast<std::uint32_t>(value.number());
  else if (name == "MainPID")
    facts.main_pid = static_cast<pid_t>(value.number());
  else if (name == "ExecMainPID")
    facts.exec_pid = static_cast<pid_t>(value.number());
  else if (name == "ExecMainCode")
    facts.exec_code = static_cast<std::int32_t>(value.number());
  else if (name == "ExecMainStatus")
    facts.exec_status = static_cast<std::int32_t>(value.number());
  else if (name == "ExecMainStartTimestampMonotonic")
    facts.exec_started_us = value.number();
  else if (name == "ExecMainExitTimestampMonotonic")
    facts.exec_ended_us = value.number();
  else
    return false;
  return true;
}

void take_property(UnitFacts& facts, std::string_view name, dbus::BodyReader& value) {
  if (take_text(facts, name, value) || take_number(facts, name, value)) return;
  if (name == "Wants" && value.next() == 'a')
    facts.wants = read_texts(value);
  else if (name == "Requires" && value.next() == 'a')
    facts.requires_ = read_texts(value);
  else if (name == "InvocationID" && value.next() == 'a')
    facts.invocation = read_invocation(value);
  else if (name == "ExecStart" && value.next() == 'a')
    facts.program = read_program(value);
  else if (name == "Job" && value.next() == '(')
    value.members([&facts](dbus::BodyReader& job) { facts.job = static_cast<std::uint32_t>(job.number()); });
}

int hex_digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

std::string without_suffix(const std::string& unit, std::string_view suffix) { return unit.substr(0, unit.size() - suffix.size()); }

}  // namespace

void take_properties(UnitFacts& facts, dbus::BodyReader& properties) {
  properties.each([&facts](dbus::BodyReader& entry) {
    entry.members([&facts](dbus::BodyReader& member) {
      const std::string_view name = member.text();
      member.variant([&](dbus::BodyReader& value) { take_property(facts, name, value); });
    });
  });
}

ServiceState state_of(const UnitFacts& facts) {
  if (restarts_by_itself(facts)) return ServiceState::backoff;
  if (facts.active_state == "active" || facts.active_state == "reloading" || facts.active_state == "refreshing") return ServiceState::ready;
  if (facts.active_state == "activating") return ServiceState::starting;
  if (facts.active_state == "deactivating") return ServiceState::stopping;
  if (facts.active_state == "failed" && facts.job == 0) return ServiceState::failed;
  return facts.job != 0 ? ServiceState::waiting : ServiceState::stopped;
}

bool is_failed(const UnitFacts& facts) { return facts.active_state == "failed"; }

bool restarts_by_itself(const UnitFacts& facts) {
  return facts.active_state == "activating" && facts.sub_state.starts_with("auto-restart");
}

bool reached_start_limit(const UnitFacts& facts) {
  if (!is_failed(facts)) return false;
  if (facts.result == "start-limit-hit") return true;
  // The result of the last run hides it, but who is to be restarted and was not has reached it.
  const bool is_limited = facts.start_limit_burst > 0 && facts.start_limit_interval_us > 0;
  const bool wants_restart =
      facts.restart == "always" || facts.restart == "on-failure" || facts.restart == "on-abnormal" || facts.restart == "on-abort";
  return is_limited && wants_restart && facts.restarts + 1 >= facts.start_limit_burst;
}

protocol::ExitStatus exit_of(const UnitFacts& facts) {
  if (facts.exec_code == CLD_EXITED) return protocol::ExitCode{facts.exec_status};
  if (facts.exec_code == CLD_KILLED || facts.exec_code == CLD_DUMPED)
    return protocol::ExitSignal{facts.exec_status, facts.exec_code == CLD_DUMPED};
  return protocol::ExitUnknown{facts.exec_pid == 0 ? "it was not started" : "systemd does not say"};
}

std::string describe_end(const UnitFacts& facts) {
  std::string text = "result " + (facts.result.empty() ? "unknown" : facts.result);
  if (facts.exec_code == 0) return text;
  text += ": ended with " + protocol::to_text(exit_of(facts));
  const auto step =
      std::find_if(exec_steps.begin(), exec_steps.end(), [&](const ExecStep& each) { return each.code == facts.exec_status; });
  if (facts.exec_code == CLD_EXITED && step != exec_steps.end())
    text += " (" + std::string(step->what) + (facts.program.empty() ? "" : ": " + facts.program) + ")";
  return text;
}

std::string service_name_of(const std::string& unit) {
  std::string name = unit.ends_with(".service") ? without_suffix(unit, ".service") : unit;
  for (char& c : name) {
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '.' && c != '_' && c != '-') c = '-';
  }
  name.erase(0, name.find_first_not_of("._-"));
  constexpr std::size_t longest = 63;
  if (name.size() > longest) name.resize(longest);
  return parse_service_name(name) ? name : std::string();
}

std::optional<std::string> device_of(const std::string& unit) {
  constexpr std::string_view suffix = ".device";
  if (!unit.ends_with(suffix)) return std::nullopt;
  const std::string name = without_suffix(unit, suffix);
  std::string path = "/";
  for (std::size_t at = 0; at < name.size(); ++at) {
    const bool is_escape =
        name[at] == '\\' && at + 3 < name.size() && name[at + 1] == 'x' && hex_digit(name[at + 2]) >= 0 && hex_digit(name[at + 3]) >= 0;
    if (!is_escape) {
      path += name[at] == '-' ? '/' : name[at];
      continue;
    }
    path += static_cast<char>(hex_digit(name[at + 2]) * 16 + hex_digit(name[at + 3]));
    at += 3;
  }
  return path;
}

std::string unit_of_cgroup(const std::string& cgroup) {
  for (std::size_t at = 0; at < cgroup.size();) {
    const std::size_t end = std::min(cgroup.find('/', at), cgroup.size());
    const std::string part = cgroup.substr(at, end - at);
    if (part.ends_with(".service") || part.ends_with(".scope")) return part;
    at = end + 1;
  }
  return {};
}

std::string object_path_of(const std::string& unit) {
  std::string path = "/org/freedesktop/systemd1/unit/";
  for (std::size_t at = 0; at < unit.size(); ++at) {
    const auto c = static_cast<unsigned char>(unit[at]);
    const bool is_plain = std::isalpha(c) || (at > 0 && std::isdigit(c));
    if (is_plain)
      path += static_cast<char>(c);
    else
      path += {'_', "0123456789abcdef"[c >> 4], "0123456789abcdef"[c & 15]};
  }
  return path;
}

}  // namespace vigil::guest::systemd
