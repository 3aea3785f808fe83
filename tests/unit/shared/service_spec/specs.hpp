// Service files for the tests of this folder.
#pragma once

#include "shared/service_spec/service_spec.hpp"

#include <algorithm>

namespace vigil::service_spec::specs {

/// {"name":NAME,"exec":["/bin/x"],MORE}
inline SpecSource file(const std::string& name, const std::string& more = "") {
  return {"/etc/vigil/services.d/" + name + ".json",
          R"({"name":")" + name + R"(","exec":["/bin/)" + name + R"("])" + (more.empty() ? "" : "," + more) + "}", std::nullopt};
}

/// "key: reason" of each error, or its code and path for a cycle; sorted.
inline std::vector<std::string> problems(const SpecSet& set) {
  std::vector<std::string> texts;
  for (const auto& cause : set.errors) {
    const auto key = protocol::field_text(cause, "key");
    texts.push_back(key ? *key + ": " + cause.evidence.at(0) : cause.text + " " + protocol::field_text(cause, "path").value_or("?"));
  }
  std::sort(texts.begin(), texts.end());
  return texts;
}

inline std::vector<std::string> names(const SpecSet& set) {
  std::vector<std::string> texts;
  for (const auto& spec : set.services) texts.push_back(spec.name.value());
  return texts;
}

}  // namespace vigil::service_spec::specs
