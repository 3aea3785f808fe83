#include "guest/process/small_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace vigil::guest::process {
namespace {

constexpr std::size_t longest_value = 256;

std::string value_in(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ' || text.back() == '\0')) text.pop_back();
  return text;
}

std::optional<std::string> read_rest(const UniqueFd& file, std::size_t limit) {
  if (!file) return std::nullopt;
  std::string text;
  char block[4096];
  while (text.size() < limit) {
    const ssize_t length = read(file.get(), block, std::min(sizeof block, limit - text.size()));
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return std::nullopt;
    if (length == 0) break;
    text.append(block, static_cast<std::size_t>(length));
  }
  return text;
}

}  // namespace

std::optional<std::string> read_small_file(const UniqueFd& file, std::size_t limit) {
  if (!file || lseek(file.get(), 0, SEEK_SET) != 0) return std::nullopt;
  return read_rest(file, limit);
}

std::optional<std::string> read_small_file(const std::string& path, std::size_t limit) {
  return read_rest(UniqueFd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)), limit);
}

std::string read_value(const std::string& path) { return value_in(read_small_file(path, longest_value).value_or("")); }

std::string read_value(const UniqueFd& file) { return value_in(read_small_file(file, longest_value).value_or("")); }

int write_control_file(const std::string& path, std::string_view value) {
  const UniqueFd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file) return errno;
  const ssize_t length = write(file.get(), value.data(), value.size());
  if (length < 0) return errno;
  return static_cast<std::size_t>(length) == value.size() ? 0 : EIO;
}

}  // namespace vigil::guest::process
