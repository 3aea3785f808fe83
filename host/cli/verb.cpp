#include "host/cli/verb.hpp"

#include "host/cli/commands.hpp"

#include <CLI/CLI.hpp>

#include <utility>

namespace vigil::cli {

namespace {

template <class T>
void add(CLI::App& app, const char* name, T& target, const char* what, Need need = Need::optional) {
  auto* const option = app.add_option(name, target, what);
  if (need == Need::required) option->required();
}

}  // namespace

Verb& Verb::text(const char* name, std::string& target, const char* what, Need need) {
  add(app_, name, target, what, need);
  return *this;
}

Verb& Verb::texts(const char* name, std::vector<std::string>& target, const char* what, Need need) {
  auto* const option = app_.add_option(name, target, what);
  if (need == Need::required) option->required();
  if (*name == '-') option->allow_extra_args(false);   // one value an option: the next word is somebody else's
  return *this;
}

Verb& Verb::number(const char* name, std::uint32_t& target, const char* what) {
  add(app_, name, target, what);
  return *this;
}

Verb& Verb::number(const char* name, std::optional<std::uint32_t>& target, const char* what) {
  add(app_, name, target, what);
  return *this;
}

Verb& Verb::number(const char* name, std::optional<std::uint64_t>& target, const char* what) {
  add(app_, name, target, what);
  return *this;
}

Verb& Verb::flag(const char* name, bool& target, const char* what) {
  app_.add_flag(name, target, what);
  return *this;
}

Verb& Verb::alias(const char* name) {
  app_.alias(name);
  return *this;
}

Verb& Verb::rest(Cli& cli, std::vector<std::string>& target) {
  app_.fallthrough(false);
  app_.prefix_command();
  app_.parse_complete_callback([&app = app_, &cli, &target] {
    target = app.remaining();
    target.insert(target.end(), cli.after_dashes.begin(), cli.after_dashes.end());
  });
  return *this;
}

Verb Verb::below(Cli& cli, const std::string& name, const std::string& what, std::function<int()> run) {
  return add_verb(app_, cli, name, what, std::move(run));
}

Verb add_verb(CLI::App& parent, Cli& cli, const std::string& name, const std::string& what, std::function<int()> run) {
  auto* const app = parent.add_subcommand(name, what);
  app->add_flag("--json", cli.json, "print one JSON value");
  app->callback([&cli, run = std::move(run)] { cli.exit_code = run(); });
  return Verb(*app);
}

Verb add_group(CLI::App& parent, const std::string& name, const std::string& what) {
  auto* const app = parent.add_subcommand(name, what);
  app->require_subcommand(1);
  return Verb(*app);
}

}  // namespace vigil::cli
