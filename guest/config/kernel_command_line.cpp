#include "guest/config/kernel_command_line.hpp"

namespace vigil::guest::config {
namespace {

constexpr std::size_t max_value_bytes = 128;   // ids, digests and serials are shorter

// The kernel's own rule: blanks separate, double quotes group and are dropped.
std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool quoted = false;
  for (const char c : text) {
    if (c == '"') {
      quoted = !quoted;
    } else if (!quoted && (c == ' ' || c == '\t' || c == '\n')) {
      if (!word.empty()) words.push_back(std::move(word));
      word.clear();
    } else {
      word += c;
    }
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

void take(KernelCommandLine& line, std::string_view key, std::string_view value) {
  if (value.empty() || value.size() > max_value_bytes) {
    line.problems.push_back(std::string(key) + " has an empty or oversized value");
  } else if (key == "vigil.vm") {
    line.vm = value;
  } else if (key == "vigil.image") {
    line.image = value;
  } else if (key == "vigil.root") {
    line.root_serial = value;
  } else if (key == "vigil.overlay") {
    line.overlay_serial = value;
  } else if (key == "vigil.accel") {
    if (const auto accelerator = parse_enum<protocol::Accelerator>(value)) line.accelerator = *accelerator;
    else line.problems.push_back("vigil.accel=" + std::string(value) + " is not known");
  } else if (key == "vigil.poweroff") {
    if (const auto power_off = parse_enum<PowerOff>(value)) line.power_off = *power_off;
    else line.problems.push_back("vigil.poweroff=" + std::string(value) + " is not known");
  } else {
    line.problems.push_back(std::string(key) + " is not known");
  }
}

}  // namespace

KernelCommandLine parse_kernel_command_line(std::string_view text) {
  KernelCommandLine line;
  for (const std::string& word : split_words(text)) {
    if (!word.starts_with("vigil.")) continue;
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos) line.problems.push_back(word + " has no value");
    else take(line, std::string_view(word).substr(0, equals), std::string_view(word).substr(equals + 1));
  }
  return line;
}

}  // namespace vigil::guest::config
