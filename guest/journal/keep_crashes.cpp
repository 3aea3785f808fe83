#include "guest/journal/keep_crashes.hpp"

#include "shared/base/overloaded.hpp"
#include "shared/base/unique_fd.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <string_view>

namespace vigil::guest::journal {
namespace {

/// 0 or errno, as everything here.
int copy_all(int from, int to, std::uint64_t at) {
  static char block[64 * 1024];
  for (off_t read_from = 0;;) {
    const ssize_t got = ::pread(from, block, sizeof block, read_from);
    if (got < 0) return errno;
    if (got == 0) return 0;
    read_from += got;
    for (ssize_t written = 0; written < got;) {
      const ssize_t count = ::pwrite(to, block + written, static_cast<std::size_t>(got - written), static_cast<off_t>(at));
      if (count < 0) return errno;
      if (count == 0) return ENOSPC;
      written += count;
      at += static_cast<std::uint64_t>(count);
    }
  }
}

int sync_directory(const std::string& directory) {
  const UniqueFd folder(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return folder && ::fsync(folder.get()) == 0 ? 0 : errno;
}

int replace(const std::string& directory, const std::string& path, int payload) {
  const std::string fresh = path + ".new";
  UniqueFd file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return errno;
  int error = copy_all(payload, file.get(), 0);
  if (error == 0 && ::fsync(file.get()) != 0) error = errno;
  if (error == 0 && ::rename(fresh.c_str(), path.c_str()) != 0) error = errno;
  if (error != 0) ::unlink(fresh.c_str());
  return error != 0 ? error : sync_directory(directory);
}

int append(const std::string& path, std::uint64_t at, int payload) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file || ::ftruncate(file.get(), static_cast<off_t>(at)) != 0) return errno;
  const int error = copy_all(payload, file.get(), at);
  if (error != 0) return error;
  return ::fsync(file.get()) == 0 ? 0 : errno;
}

}  // namespace

std::string to_text(const Change& change) {
  return std::visit(Overloaded{[](const Replace&) { return std::string("replace"); },
                               [](const Append& added) { return "append:" + std::to_string(added.at); },
                               [](const Remove&) { return std::string("remove"); }},
                    change);
}

Change parse_change(const std::string& text) {
  constexpr std::string_view append_word = "append:";
  if (text == "remove") return Remove{};
  if (!text.starts_with(append_word)) return Replace{};
  Append added;
  const auto parsed = std::from_chars(text.data() + append_word.size(), text.data() + text.size(), added.at);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return Replace{};
  return added;
}

int keep_crashes(const std::string& directory, const Change& change, int payload) {
  const std::string path = directory + "/" + journal_name;
  return std::visit(Overloaded{[&](const Replace&) {
                                 if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return errno;
                                 return replace(directory, path, payload);
                               },
                               [&](const Append& added) { return append(path, added.at, payload); },
                               [&](const Remove&) { return ::unlink(path.c_str()) == 0 || errno == ENOENT ? 0 : errno; }},
                    change);
}

}  // namespace vigil::guest::journal
