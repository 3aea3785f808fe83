// What happens in a directory, a JSON object a line: {"event":"created","name":"a","directory":true}.
//
// Shape:  inotify's queue is the only buffer (fs.inotify.max_queued_events, 16384 unless the VM says otherwise): a host that reads slowly finds an event `overflow`, after which it has to list again.
//         Equal events of one name that come together are told once. A directory that goes away ends the stream with an event `gone`.
// Source: inotify(7).
#include "guest/files/entry_name.hpp"
#include "guest/files/ops.hpp"
#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>

namespace vigil::guest::files {

namespace {

using nlohmann::json;

struct EventRow {
  std::uint32_t bit;
  const char* word;
};
constexpr EventRow event_rows[] = {{IN_CREATE, "created"},      {IN_DELETE, "deleted"},    {IN_MODIFY, "changed"},
                                   {IN_CLOSE_WRITE, "written"}, {IN_ATTRIB, "attributes"}, {IN_MOVED_FROM, "moved_from"},
                                   {IN_MOVED_TO, "moved_to"}};
constexpr std::uint32_t gone_bits = IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED;
constexpr std::uint32_t wanted_bits = IN_CREATE | IN_DELETE | IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_MOVED_FROM | IN_MOVED_TO |
                                      IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

const char* word_of(std::uint32_t bits) {
  for (const auto& row : event_rows)
    if (bits & row.bit) return row.word;
  return nullptr;
}

std::string event_line(const inotify_event& event, const std::string& name) {
  json line = {{"event", word_of(event.mask)}};
  put_name(line, "name", name);
  if (event.mask & IN_ISDIR) line["directory"] = true;
  if (event.cookie != 0) line["cookie"] = event.cookie;  // the same at both ends of one move
  return dump_json(line) + "\n";
}

/// The lines of what one read has brought.
struct Batch {
  std::string lines, newest;
  std::uint64_t events = 0;
  bool gone = false;

  void add(const std::string& line) {
    if (line == newest) return;
    lines += line;
    newest = line;
    ++events;
  }
  void take(const inotify_event& event, const char* name) {
    if (event.mask & IN_Q_OVERFLOW)
      add("{\"event\":\"overflow\"}\n");
    else if (event.mask & gone_bits)
      gone = true;
    else if (event.len > 0 && word_of(event.mask) != nullptr)
      add(event_line(event, name));  // without a name it is about the directory itself
  }
};

Result<Batch> read_batch(int inotify) {
  alignas(inotify_event) char bytes[64 * 1024];
  const ssize_t count = ::read(inotify, bytes, sizeof bytes);
  if (count < 0 && errno != EINTR && errno != EAGAIN) return Error::from_errno("inotify", errno);
  Batch batch;
  for (ssize_t at = 0; at < count;) {
    inotify_event event{};
    std::memcpy(&event, bytes + at, sizeof event);
    batch.take(event, bytes + at + sizeof event);
    at += static_cast<ssize_t>(sizeof event + event.len);
  }
  if (batch.gone) batch.add("{\"event\":\"gone\"}\n");
  return batch;
}

Result<UniqueFd> start_watch(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0 && !S_ISDIR(status.st_mode)) return Error(Errc::invalid, path + " is not a directory");
  UniqueFd inotify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!inotify) return Error::from_errno("inotify (fs.inotify.max_user_instances)", errno);
  if (::inotify_add_watch(inotify.get(), path.c_str(), wanted_bits) < 0) return Error::from_errno(path, errno);
  return inotify;
}

}  // namespace

void watch_directory(Connection& connection, const streams::DirWatchOpening& opening) {
  const auto inotify = start_watch(opening.path);
  if (!inotify) return connection.refuse(inotify.error());
  if (!connection.accept("{\"recursive\":false}")) return;
  std::uint64_t events = 0;
  for (;;) {
    if (!connection.wait_for(inotify->get())) return;
    const auto batch = read_batch(inotify->get());
    if (!batch) return connection.finish(streams::Problem{Errc::io, batch.error().message()});
    if (!batch->lines.empty() && !connection.send(streams::Channel::data, batch->lines)) return;
    events += batch->events;
    if (batch->gone) return connection.finish(streams::Done{events});
  }
}

}  // namespace vigil::guest::files
