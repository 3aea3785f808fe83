#include "guest/files/worker.hpp"

#include "guest/files/ops.hpp"
#include "shared/base/overloaded.hpp"
#include "shared/framing/frame.hpp"

#include <unistd.h>

#include <cstdlib>

namespace vigil::guest::files {

namespace {

std::string read_all(int fd) {
  std::string bytes;
  char block[64 * 1024];
  for (ssize_t count = 0; (count = ::read(fd, block, sizeof block)) > 0;) bytes.append(block, static_cast<std::size_t>(count));
  return bytes;
}

}  // namespace

int serve(int connection_fd, int opening_fd) {
  framing::FrameReader frames(streams::max_opening_bytes);
  frames.feed(read_all(opening_fd));
  const auto frame = frames.next();
  if (!frame || !*frame) return EXIT_FAILURE;
  const auto opening = streams::decode_opening(**frame);
  if (!opening) return EXIT_FAILURE;
  Connection connection(connection_fd, frames.take_rest());
  std::visit(Overloaded{[&](const streams::FileReadOpening& read) { read_file(connection, read); },
                        [&](const streams::FileWriteOpening& write) { write_file(connection, write); },
                        [&](const streams::DirListOpening& list) { list_directory(connection, list); },
                        [&](const streams::DirWatchOpening& watch) { watch_directory(connection, watch); },
                        [&](const auto&) { connection.refuse(Error(Errc::unsupported, "not a file stream")); }},
             *opening);
  return EXIT_SUCCESS;
}

}  // namespace vigil::guest::files
