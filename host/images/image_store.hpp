// The golden images that are there: found by name and digest, checked before they are trusted.
//
// Shape:  DIR/NAME/DIGEST/{manifest.json, kernel, ...} and the link DIR/NAME/current -> DIGEST. Nothing is cached: a built image is there at once.
//         A reference is NAME (its current digest) or NAME@DIGEST, where a prefix of at least 8 hex digits that fits one digest will do.
// Thread: any; verify_contents reads whole files (seconds) and belongs on a pool.
// Errors: Errc::invalid a malformed reference; Errc::not_found, naming what exists; Errc::conflict when the directory does not hold what its digest
//         says (bad manifest bytes, size or hash of a file), naming the file.
#pragma once

#include "host/images/manifest.hpp"
#include "shared/base/result.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::images {

struct Image {
    std::string name;
    std::string digest;
    bool current = false;
    std::filesystem::path directory;
    Manifest manifest;

    std::string reference() const { return name + "@" + digest; }
    std::filesystem::path path_of(const ImageFile& file) const { return directory / file.file; }
    std::uint64_t bytes() const;
};

struct Listing {
    std::vector<Image> images;         // by name, newest first
    std::vector<std::string> damaged;  // "NAME@DIGEST: why", for directories that cannot be read as an image
};

class ImageStore {
  public:
    explicit ImageStore(std::filesystem::path directory) : directory_(std::move(directory)) {}

    Listing list() const;
    /// Reads the manifest and checks it against the digest; not yet the files.
    Result<Image> resolve(std::string_view reference) const;
    /// Before a start: every file is there with its size.
    static Result<void> verify_files(const Image& image);
    /// Every byte of every file.
    static Result<void> verify_contents(const Image& image);

  private:
    std::vector<std::string> names() const;
    std::vector<std::string> digests(const std::string& name) const;
    std::string current_digest(const std::string& name) const;
    Result<Image> load(const std::string& name, const std::string& digest) const;
    Result<std::string> pick_digest(const std::string& name, std::string_view wanted) const;
    std::string what_exists() const;

    std::filesystem::path directory_;
};

}  // namespace vigil::images
