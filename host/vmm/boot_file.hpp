// Reading fixed-size pieces of a file that may be anything; private to this folder.
#pragma once

#include "shared/base/result.hpp"
#include "shared/base/unique_fd.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>

namespace vigil::vmm {

class BootFile {
public:
  /// Errors: those of open(2), and Errc::invalid for what is not a regular file.
  static Result<BootFile> open(const std::string& path);

  std::uint64_t size() const { return size_; }
  /// At most `bytes` from `offset`; shorter at the file's end.
  std::string read(std::uint64_t offset, std::size_t bytes) const;

  template <class T>
  std::optional<T> read_struct(std::uint64_t offset) const {
    static_assert(std::is_trivially_copyable_v<T>);
    const std::string bytes = read(offset, sizeof(T));
    if (bytes.size() != sizeof(T)) return std::nullopt;
    T value;
    bytes.copy(reinterpret_cast<char*>(&value), sizeof(T));
    return value;
  }

private:
  BootFile(UniqueFd file, std::uint64_t size) : file_(std::move(file)), size_(size) {}

  UniqueFd file_;
  std::uint64_t size_ = 0;
};

}  // namespace vigil::vmm
