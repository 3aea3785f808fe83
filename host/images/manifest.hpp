// What a golden image says of itself, read with limits: an image directory may come from anywhere.
//
// Shape:  manifest.json, format 1; the image's digest is the SHA-256 of that file's bytes, so a directory proves itself.
// Units:  bytes; created_unix in seconds since 1970; min_memory_mib in MiB.
// Errors: Errc::limit (over 4 MiB, too deep), Errc::invalid naming the key; a file name with a slash or a dot in front is invalid.
#pragma once

#include "shared/base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::images {

struct ImageFile {
    std::string file;    // plain name within the image's directory
    std::string sha256;  // lower-case hex
    std::uint64_t bytes = 0;
};

struct Manifest {
    std::string name;
    std::int64_t created_unix = 0;
    std::string suite, architecture, init;
    std::int64_t min_memory_mib = 0;
    ImageFile kernel, initrd, root, overlay;
    std::string kernel_version;
    std::string agent_version, agent_build_id;
    std::string image_id;  // also in /etc/vigil/image-id of initramfs and root
    std::vector<std::string> services;
    std::vector<std::string> egress_targets;   // where its programs go: https://NAME[:PORT][/PATH]; what `vigil egress test VM` tries
    std::string json;      // the file as it is
};

Result<Manifest> parse_manifest(std::string json);

}  // namespace vigil::images
