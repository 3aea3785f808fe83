// Removes golden images that nobody can want any more: not current, and the image of no VM.
//
// Shape:  set_aside() decides and renames (DIR/NAME/DIGEST -> DIR/NAME/.gc-DIGEST: from then on nobody resolves it), delete_set_aside() deletes what was
//         set aside, by whomever: a crash in between costs nothing but a second try.
// Thread: set_aside() on the thread that creates instances, so that none can take an image meanwhile; delete_set_aside() on a pool (gigabytes).
// A name that a builder holds (its lock file DIR/.NAME.lock) is left alone: the builder's new image is not current yet.
#pragma once

#include "shared/base/result.hpp"

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace vigil::images {

struct Unused {
  std::string name;
  std::string digest;
  std::uint64_t bytes = 0;  // that its removal frees: blocks of files that no other image shares
};

struct Collection {
  std::vector<Unused> unused;  // set aside, unless it was only asked what would be
  std::vector<std::string> busy;  // names that are being built just now
};

enum class Collect { only_look, set_aside };

/// `used`: full digests that VMs need. Errors: of the system; what was set aside before stays so.
Result<Collection> collect_unused(const std::filesystem::path& images, const std::set<std::string>& used, Collect how);
Result<void> delete_set_aside(const std::filesystem::path& images);

}  // namespace vigil::images
