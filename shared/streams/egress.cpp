#include "shared/streams/egress.hpp"

#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

namespace vigil::streams {

std::string encode(const EgressHello& hello) { return dump_json({{"v", 1}, {"boot", hello.boot.value()}, {"token", hello.token}}); }

Result<EgressHello> decode_egress_hello(std::string_view json_text) {
  constexpr JsonLimits limits{.max_bytes = max_egress_hello_bytes, .max_depth = 2, .max_values = 16};
  TRY(object, parse_json(json_text, limits));
  if (!object.is_object()) return Error(Errc::invalid, "an egress hello must be a JSON object");
  TRY(version, read_integer(object, "v", 1, 1000));
  if (version != 1) return Error(Errc::unsupported, "egress version " + std::to_string(version));
  TRY(boot_text, read_string(object, "boot", 64));
  TRY(boot, parse_boot_id(boot_text));
  TRY(token, read_string(object, "token", 256));
  return EgressHello{boot, token};
}

}  // namespace vigil::streams
