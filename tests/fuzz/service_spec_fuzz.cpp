// A service file, and behind a NUL an overlay laid over it (it comes from the create request).
#include "shared/service_spec/service_spec.hpp"
#include "tests/fuzz/require.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  vigil::service_spec::SpecSource source{"web.json", input, {}};
  if (const auto end = input.find('\0'); end != std::string::npos) {
    source.text = input.substr(0, end);
    source.overlay = input.substr(end + 1);
  }
  const auto set = vigil::service_spec::parse_service_specs({source});
  vigil::fuzz::require(set.services.size() + set.errors.size() > 0, "a file is a service or an error");
  for (const auto& service : set.services) {
    vigil::fuzz::require(service.name.value() == "web", "a service has its file's name");
    vigil::fuzz::require(!service.exec.empty() && service.exec[0].starts_with('/'), "a service can be started");
    for (const auto& probe : service.ready) vigil::fuzz::require(!vigil::service_spec::probe_name(probe).empty(), "a probe has a name");
  }
  return 0;
}
