#include "host/cli/file_sending.hpp"

#include <unistd.h>

#include <cerrno>

namespace vigil::cli {

using streams::Channel;

Result<std::optional<std::uint64_t>> done_of(const streams::Chunk& chunk) {
  if (chunk.is_end()) return Error(Errc::protocol, "the stream ended without a result");
  TRY(message, streams::decode_control(chunk.bytes));
  if (const auto* const problem = std::get_if<streams::Problem>(&message)) return Error(problem->code, problem->detail);
  if (const auto* const done = std::get_if<streams::Done>(&message)) return std::optional(done->bytes);
  return std::optional<std::uint64_t>();
}

Result<std::uint64_t> send_file(GuestStream& stream, int fd, const std::string& name) {
  char block[128 * 1024];
  for (;;) {
    const ssize_t count = ::read(fd, block, sizeof block);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Error::from_errno(name, errno);
    if (count == 0) break;
    stream.queue(Channel::data, {block, static_cast<std::size_t>(count)});
    if (!stream.flush_all()) break;   // the guest has said why
  }
  stream.queue_end(Channel::data);
  (void)stream.flush_all();
  for (;;) {
    TRY(chunk, stream.receive());
    if (chunk.channel != Channel::control) continue;
    TRY(done, done_of(chunk));
    if (done) return *done;
  }
}

}  // namespace vigil::cli
