#include "guest/agent/check.hpp"

#include "shared/json/json.hpp"
#include "shared/protocol/codec.hpp"
#include "shared/service_spec/service_spec.hpp"

#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include <cstdio>

namespace vigil::guest::agent {
namespace {

void print_text(const service_spec::SpecSet& specs) {
  for (const auto& service : specs.services)
    std::printf("ok    %s (%s)%s\n", service.name.value().c_str(), service.file.c_str(), service.essential ? "" : ", optional");
  for (const auto& cause : specs.errors) {
    std::printf("error %s: %s\n", cause.text.c_str(), protocol::sentence(cause).c_str());
    for (const auto& line : cause.evidence) std::printf("      %s\n", line.c_str());
  }
}

void print_json(const service_spec::SpecSet& specs) {
  auto services = nlohmann::json::array();
  for (const auto& service : specs.services)
    services.push_back({{"name", service.name.value()}, {"file", service.file}, {"essential", service.essential}});
  auto errors = nlohmann::json::array();
  for (const auto& cause : specs.errors) {
    auto error = nlohmann::json{{"sentence", protocol::sentence(cause)}, {"advice", protocol::advice(cause)}};
    if (const auto wire = parse_json(protocol::encode_cause(cause))) error.update(*wire);
    errors.push_back(std::move(error));
  }
  std::printf("%s\n", dump_json_pretty({{"services", services}, {"errors", errors}}).c_str());
}

}  // namespace

int check_services(const config::CheckOptions& options) {
  struct stat status {};
  if (::stat(options.directory.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
    std::fprintf(stderr, "vigil-guest: %s is not a directory\n", options.directory.c_str());
    return 2;
  }
  const auto specs = service_spec::load_service_specs(options.directory);
  if (options.json) print_json(specs);
  else print_text(specs);
  return specs.errors.empty() ? 0 : 1;
}

}  // namespace vigil::guest::agent
