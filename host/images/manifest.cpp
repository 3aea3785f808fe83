#include "host/images/manifest.hpp"

#include "host/images/sha256.hpp"
#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

namespace vigil::images {

namespace {

constexpr JsonLimits manifest_limits{.max_bytes = 4 << 20, .max_depth = 8, .max_values = 200'000};
constexpr std::int64_t format = 1;

Result<const nlohmann::json*> member(const nlohmann::json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_object()) return Error(Errc::invalid, std::string(key) + ": not an object");
    return &*found;
}

Result<ImageFile> parse_file(const nlohmann::json& manifest, const char* key) {
    TRY(object, member(manifest, key));
    ImageFile parsed;
    const auto fill = [&]() -> Result<void> {
        TRY(file, read_string(*object, "file", 255));
        if (file.empty() || file.front() == '.' || file.find('/') != file.npos || file.find('\0') != file.npos)
            return Error(Errc::invalid, "file: not a plain file name");
        TRY(sha256, read_string(*object, "sha256", 64));
        if (sha256.size() != 64 || !is_lower_hex(sha256)) return Error(Errc::invalid, "sha256: not 64 lower-case hex digits");
        TRY(bytes, read_integer(*object, "bytes"));
        parsed = {file, sha256, static_cast<std::uint64_t>(bytes)};
        return {};
    };
    if (const auto filled = fill(); !filled) return filled.error().with_context(key);
    return parsed;
}

Result<void> read_identity(const nlohmann::json& json, Manifest& manifest) {
    TRY(name, read_string(json, "name", 63));
    TRY(created, read_integer(json, "created_unix"));
    TRY(suite, read_string(json, "suite", 64));
    TRY(architecture, read_string(json, "architecture", 64));
    TRY(init, read_string(json, "init", 64));
    TRY(memory, read_integer(json, "min_memory_mib", 0, 1 << 20));
    TRY(image_id, read_string(json, "image_id", 128));
    manifest.name = name;
    manifest.created_unix = created;
    manifest.suite = suite;
    manifest.architecture = architecture;
    manifest.init = init;
    manifest.min_memory_mib = memory;
    manifest.image_id = image_id;
    return {};
}

Result<void> read_parts(const nlohmann::json& json, Manifest& manifest) {
    TRY(kernel, parse_file(json, "kernel"));
    TRY(initrd, parse_file(json, "initrd"));
    TRY(root, parse_file(json, "root"));
    TRY(overlay, parse_file(json, "overlay"));
    TRY(kernel_object, member(json, "kernel"));
    TRY(kernel_version, read_string(*kernel_object, "version", 256));
    TRY(agent, member(json, "agent"));
    TRY(agent_version, read_string(*agent, "version", 128));
    TRY(agent_build_id, read_string(*agent, "build_id", 128));
    TRY(services, read_strings(json, "services", 256, 63));
    manifest.kernel = kernel;
    manifest.initrd = initrd;
    manifest.root = root;
    manifest.overlay = overlay;
    manifest.kernel_version = kernel_version;
    manifest.agent_version = agent_version;
    manifest.agent_build_id = agent_build_id;
    manifest.services = services;
    if (json.contains("egress_targets")) {
        TRY(targets, read_strings(json, "egress_targets", 32, 2048));
        manifest.egress_targets = targets;
    }
    return {};
}

}  // namespace

Result<Manifest> parse_manifest(std::string text) {
    TRY(json, parse_json(text, manifest_limits));
    if (!json.is_object()) return Error(Errc::invalid, "not a JSON object");
    TRY(found_format, read_integer(json, "format"));
    if (found_format != format)
        return Error(Errc::unsupported, "format " + std::to_string(found_format) + ", this version reads " + std::to_string(format));
    Manifest manifest;
    TRY_VOID(read_identity(json, manifest));
    TRY_VOID(read_parts(json, manifest));
    manifest.json = std::move(text);
    return manifest;
}

}  // namespace vigil::images
