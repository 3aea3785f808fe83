#include "host/machine/state_codec.hpp"

#include "host/machine/state_archive.hpp"
#include "host/machine/state_fields.hpp"

namespace vigil::machine {

namespace {
constexpr JsonLimits snapshot_limits{.max_bytes = 64 << 20, .max_depth = 32, .max_values = 2'000'000};
}  // namespace

std::string encode_state(const VmState& state) {
  archive::Writer writer;
  writer("version", snapshot_version);
  writer("state", state);
  return dump_json(writer.take());
}

Result<VmState> decode_state(std::string_view text) {
  TRY(document, parse_json(text, snapshot_limits));
  const auto version =
      document.is_object() ? try_read_integer(document, "version") : Result<std::optional<std::int64_t>>(std::optional<std::int64_t>());
  if (!version || *version != snapshot_version) return Error(Errc::unsupported, "a snapshot of another version");
  VmState state;
  archive::Reader reader(document);
  reader("state", state);
  if (const auto error = reader.take_error()) return error->with_context("snapshot");
  return state;
}

}  // namespace vigil::machine
