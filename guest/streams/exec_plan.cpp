#include "guest/streams/exec_plan.hpp"

#include "guest/process/accounts.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

namespace vigil::guest::streams {
namespace {

bool is_program(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

Result<std::string> find_program(const std::string& word, const std::string& search_path) {
  if (word.find('/') != std::string::npos) return word;   // the kernel says what is wrong with it
  std::string_view rest = search_path;
  while (!rest.empty()) {
    const std::string_view directory = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(rest.size(), directory.size() + 1));
    std::string path = std::string(directory) + "/" + word;
    if (!directory.empty() && is_program(path)) return path;
  }
  return Error(Errc::not_found, word + ": no such program in PATH (" + search_path + ")");
}

std::string directory_of(const vigil::streams::ExecOpening& opening, const process::Account& account) {
  if (!opening.cwd.empty()) return opening.cwd;
  return ::access(account.home.c_str(), X_OK) == 0 ? account.home : "/";
}

}  // namespace

Result<process::LaunchPlan> plan_exec(const vigil::streams::ExecOpening& opening, const std::map<std::string, std::string>& env) {
  TRY(account, process::look_up_account(opening.user, ""));
  auto all = process::environment_of(account);
  for (const auto& [name, value] : env) all[name] = value;
  if (opening.terminal) all.emplace("TERM", "xterm-256color");
  for (const auto& [name, value] : opening.env) all[name] = value;

  process::LaunchPlan plan;
  plan.argv = opening.argv;
  if (plan.argv.empty()) plan.argv = {account.shell, "-l"};
  TRY(program, find_program(plan.argv.front(), all["PATH"]));
  plan.argv.front() = program;
  for (const auto& [name, value] : all) plan.env.push_back(name + "=" + value);
  plan.cwd = directory_of(opening, account);
  // Not asked for another user, we stay who we are: outside a VM the agent need not be root.
  if (opening.user != "root") plan.credentials = account.credentials;
  return plan;
}

}  // namespace vigil::guest::streams
