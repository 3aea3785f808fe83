// One service file's JSON -> ServiceSpec, with every problem in it. Private to this folder.
#pragma once

#include "shared/service_spec/key_reader.hpp"
#include "shared/service_spec/service_spec.hpp"

namespace vigil::service_spec {

struct ParsedFile {
  ServiceSpec spec;                // good only when there are no problems; the name always is the file's
  std::vector<Problem> problems;
};

ParsedFile parse_file(const SpecSource& source);

/// parse_probe.cpp: {"tcp":{..}} and its like. `path` is where it stands.
std::optional<ProbeSpec> parse_probe(const nlohmann::json& value, const std::string& path, std::vector<Problem>& problems);

/// "/etc/vigil/services.d/web.json" -> "web".
std::string stem_of(const std::string& file);

/// graph.cpp: checks the dependencies of all specs, adds what is wrong to set.errors and gives the rest in an order in which dependencies come first.
/// `known` are the names of all files, also of those that could not be parsed.
void order_services(std::vector<ServiceSpec> specs, const std::set<ServiceName>& known, SpecSet& set);

protocol::Cause spec_invalid(const std::string& file, const Problem& problem);

}  // namespace vigil::service_spec
