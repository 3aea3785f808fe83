// One verb of the command line and its options, without the parser's headers (CLI11 costs some 20 s a file under the sanitizers).
//
// Shape:  each option is bound to a variable that outlives the parse. A name without dashes is positional.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace CLI { class App; }

namespace vigil::cli {

struct Cli;

enum class Need { required, optional };

class Verb {
public:
  explicit Verb(CLI::App& app) : app_(app) {}

  Verb& text(const char* name, std::string& target, const char* what, Need need = Need::optional);
  Verb& texts(const char* name, std::vector<std::string>& target, const char* what, Need need = Need::optional);   // repeatable
  Verb& number(const char* name, std::uint32_t& target, const char* what);
  Verb& number(const char* name, std::optional<std::uint32_t>& target, const char* what);
  Verb& number(const char* name, std::optional<std::uint64_t>& target, const char* what);
  Verb& flag(const char* name, bool& target, const char* what);
  Verb& alias(const char* name);
  /// Everything after the positional arguments, options of somebody else included, and what follows "--". Options of `vigil` itself go before the verb.
  Verb& rest(Cli& cli, std::vector<std::string>& target);
  /// A verb below this one ("image list"); this one then needs one of them.
  Verb below(Cli& cli, const std::string& name, const std::string& what, std::function<int()> run);

private:
  CLI::App& app_;
};

/// A verb below `parent` with the common --json option; `run` gives the exit code.
Verb add_verb(CLI::App& parent, Cli& cli, const std::string& name, const std::string& what, std::function<int()> run);
/// A verb that only holds others.
Verb add_group(CLI::App& parent, const std::string& name, const std::string& what);

}  // namespace vigil::cli
