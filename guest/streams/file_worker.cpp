#include "guest/streams/file_worker.hpp"

#include "shared/framing/frame.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace vigil::guest::streams {

namespace {

/// The opening as a frame, then what the host sent after it.
Result<UniqueFd> opening_file(const std::string& bytes) {
  UniqueFd file(::memfd_create("opening", MFD_CLOEXEC));
  if (!file) return Error::from_errno("memfd", errno);
  for (std::size_t written = 0; written < bytes.size();) {
    const ssize_t count = ::write(file.get(), bytes.data() + written, bytes.size() - written);
    if (count <= 0) return Error::from_errno("memfd", errno);
    written += static_cast<std::size_t>(count);
  }
  ::lseek(file.get(), 0, SEEK_SET);
  return file;
}

}  // namespace

void FileWorkers::hand_over(Stream& stream, const Opening& opening) {
  if (running_.size() >= max_workers) return stream.refuse(Error(Errc::limit, std::to_string(max_workers) + " file streams run in this VM"));
  auto file = opening_file(framing::make_frame(encode(opening)) + stream.unread());
  if (!file) return stream.refuse(file.error());
  process::LaunchPlan plan;
  plan.argv = {program_, "file-stream"};
  plan.passed = {{stream.fd(), worker_connection_fd}, {file->get(), worker_opening_fd}};
  auto launched = host_.launcher.launch(plan);
  if (const auto* failure = std::get_if<process::LaunchFailure>(&launched)) {
    if (failure->pid > 0) host_.reaper.expect(failure->pid, [](const process::ProcessEnd&) {});
    return stream.refuse(Error(Errc::io, "start a file worker: " + std::string(std::strerror(failure->error))));
  }
  const pid_t pid = std::get<process::Launched>(launched).pid;
  running_.insert(pid);
  host_.reaper.expect(pid, [this](const process::ProcessEnd& end) { running_.erase(end.pid); });
  stream.abandon();
}

void FileWorkers::resume(const std::set<pid_t>& running) {
  running_ = running;
  for (const pid_t pid : running) host_.reaper.expect_again(pid, [this](const process::ProcessEnd& end) { running_.erase(end.pid); });
}

}  // namespace vigil::guest::streams
