#include "tests/bench/native/talker/journal.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace vigil::talker {

Journal::Journal(const std::string& device) : disk_(::open(device.c_str(), O_WRONLY | O_CLOEXEC)) {
  if (!disk_) throw std::system_error(errno, std::generic_category(), device);
}

void Journal::add(std::string_view line) {
  unwritten_.append(line) += '\n';
  if (unwritten_.size() >= piece_bytes) write_out();
}

void Journal::finish() {
  write_out();
  if (::fsync(disk_.get()) != 0) throw std::system_error(errno, std::generic_category(), "the journal's fsync");
}

void Journal::write_out() {
  for (std::string_view rest = unwritten_; !rest.empty();) {
    const ssize_t written = ::write(disk_.get(), rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) throw std::system_error(errno, std::generic_category(), "the journal");
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  unwritten_.clear();
}

}  // namespace vigil::talker
