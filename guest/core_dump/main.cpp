// vigil-core: what the kernel starts for each core dump (core_pattern), with the core on stdin. Tells the agent who crashed and where, keeps nothing.
//
//   vigil-core SOCKET BUDGET_MS PID THREAD SIGNAL          (%P %I %s of core(5); the agent writes the pattern)
//
// Shape:  the parent is root and parses nothing of the core: it reads /proc/PID, opens the mapped files, and waits. Its child gives up everything, reads the
//         registers from the pipe and the stacks from the victim, and closes both; from then on the parent is gone, the victim may die, and the child unwinds
//         on its own until the budget ends it. A SIGSEGV of the child is no danger: it can neither write nor connect, and the agent reports what it got.
#include "guest/core_dump/core_head.hpp"
#include "guest/core_dump/memory_map.hpp"
#include "guest/core_dump/message.hpp"
#include "guest/core_dump/sandbox.hpp"
#include "guest/core_dump/stack_memory.hpp"
#include "guest/core_dump/unwinder.hpp"
#include "guest/core_dump/victim.hpp"
#include "guest/process/small_file.hpp"
#include "guest/process/words.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <map>

namespace vigil::guest::core_dump {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr std::size_t max_maps_bytes = 2 << 20;
constexpr std::size_t max_vdso_bytes = 64 * 1024;
constexpr const char* turn_path = "/run/vigil/core.turn";  // one unwinds at a time: twenty crashes at once cost the memory of one

struct Job {
  std::string socket;
  milliseconds budget{0};
  pid_t pid = 0, thread = 0;
  int signal = 0;
};

bool parse_job(int argc, char** argv, Job& job) {
  long budget = 0;
  if (argc < 6 || !process::parse_whole(std::string_view(argv[2]), budget) || !process::parse_whole(std::string_view(argv[3]), job.pid) ||
      !process::parse_whole(std::string_view(argv[4]), job.thread) || !process::parse_whole(std::string_view(argv[5]), job.signal))
    return false;
  job.socket = argv[1];
  job.budget = milliseconds(std::clamp(budget, 1L, 600'000L));
  return job.pid > 0 && !job.socket.empty() && job.socket.size() < sizeof sockaddr_un{}.sun_path;
}

/// Bounded: an agent that does not answer must not keep the dead from dying.
UniqueFd connect_to_agent(const Job& job) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  const timeval patience{job.budget.count() / 4000, (job.budget.count() / 4 % 1000) * 1000};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, job.socket.c_str(), job.socket.size());
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
  return fd;
}

std::string hex(std::uint64_t value) {
  char digits[16];
  const auto end = std::to_chars(std::begin(digits), std::end(digits), value, 16);
  return std::string(digits, end.ptr);
}

class Teller {
public:
  explicit Teller(int fd) : fd_(fd) {}
  /// A peer that has gone ends us: nobody wants to know.
  void say(std::initializer_list<std::string_view> fields) const { say(make_message(fields)); }
  void say(const std::string& message) const {
    if (::write(fd_, message.data(), message.size()) < 0) ::_exit(1);
  }

private:
  int fd_;
};

struct Scene {
  std::vector<Module> modules;
  std::map<pid_t, std::string> thread_names;
  std::string vdso;
  UniqueFd memory, turn;
};

Scene look_around(const Job& job, const std::string& maps) {
  Scene scene;
  const std::string directory = "/proc/" + std::to_string(job.pid);
  scene.modules = parse_maps(maps);
  open_modules(scene.modules, job.pid);
  scene.memory.reset(::open((directory + "/mem").c_str(), O_RDONLY | O_CLOEXEC));
  scene.turn.reset(::open(turn_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  return scene;
}

void unwind_and_tell(const Teller& teller, const CoreHead& head, const StackMemory& stacks, const Scene& scene,
                     const std::map<pid_t, std::string>& names, Clock::time_point deadline) {
  FrameSink sink;
  sink.thread = [&](const ThreadState& thread) {
    const auto name = names.find(thread.tid);
    teller.say({"thread", std::to_string(thread.tid), name == names.end() ? "" : name->second});
  };
  sink.frame = [&](const Frame& frame) { teller.say({"frame", hex(frame.offset), frame.module, frame.build_id, frame.function}); };
  sink.cut = [&](std::string_view why) { teller.say({"cut", why}); };
  unwind_threads(head, stacks, scene.modules, sink, [&] { return Clock::now() >= deadline; });
}

/// Everything that reads what the victim wrote. `released` is closed when the victim is needed no more.
void parse_confined(const Job& job, Scene scene, const std::map<pid_t, std::string>& names, const Teller& teller, UniqueFd released) {
  const auto deadline = Clock::now() + job.budget;
  if (auto done = give_up_privileges({}); !done) return teller.say({"cut", done.error().message()});
  if (auto done = confine(job.budget + job.budget / 4); !done) return teller.say({"cut", done.error().message()});

  auto head = read_core_head([](char* buffer, std::size_t size) { return ::read(STDIN_FILENO, buffer, size); });
  if (!head) return teller.say({"cut", head.error().message()});
  const auto read_memory = [&](std::uint64_t address, char* buffer, std::size_t size) {
    return ::pread(scene.memory.get(), buffer, size, static_cast<off_t>(address));
  };
  StackMemory stacks;
  stacks.capture(*head, read_memory);
  for (Module& module : scene.modules) {
    if (module.path != "[vdso]" || module.end - module.start > max_vdso_bytes) continue;
    module.image.resize(module.end - module.start);
    if (read_memory(module.start, module.image.data(), module.image.size()) != static_cast<ssize_t>(module.image.size()))
      module.image.clear();
  }
  ::close(STDIN_FILENO);
  scene.memory.reset();
  released.reset();

  if (head->signal)
    teller.say({"signal", std::to_string(head->signal->number), std::to_string(head->signal->code), hex(head->signal->address),
                std::to_string(head->signal->sender)});
  ::flock(scene.turn.get(), LOCK_EX);
  unwind_and_tell(teller, *head, stacks, scene, names, deadline);
  if (head->threads_left_out > 0) teller.say({"left_out", std::to_string(head->threads_left_out)});
  teller.say({"end"});
}

std::map<pid_t, std::string> thread_names(pid_t pid, pid_t crashing) {
  std::map<pid_t, std::string> names;
  for (const pid_t tid : list_threads(pid, max_threads)) names.emplace(tid, thread_name(pid, tid));
  names.emplace(crashing, thread_name(pid, crashing));  // it may be none of the first
  return names;
}

int run(const Job& job) {
  const UniqueFd agent = connect_to_agent(job);
  if (!agent) return 1;
  const Teller teller(agent.get());
  const std::string maps = process::read_small_file("/proc/" + std::to_string(job.pid) + "/maps", max_maps_bytes).value_or("");
  teller.say(describe_victim(job.pid, job.thread, job.signal, maps));
  Scene scene = look_around(job, maps);
  const auto names = thread_names(job.pid, job.thread);

  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return 1;
  UniqueFd released(ends[0]), release(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return 1;
  if (child == 0) {
    released.reset();
    parse_confined(job, std::move(scene), names, teller, std::move(release));
    ::_exit(0);
  }
  release.reset();
  pollfd wait{released.get(), POLLIN, 0};
  if (::poll(&wait, 1, static_cast<int>(job.budget.count())) == 0) ::kill(child, SIGKILL);  // the victim must not wait for ever
  return 0;
}

}  // namespace
}  // namespace vigil::guest::core_dump

int main(int argc, char** argv) {
  using namespace vigil::guest::core_dump;
  if (argc == 2 && std::strcmp(argv[1], "--version") == 0) return std::printf("vigil-core %s\n", VIGIL_VERSION) > 0 ? 0 : 1;
  std::signal(SIGPIPE, SIG_IGN);
  Job job;
  if (!parse_job(argc, argv, job)) {
    std::fprintf(stderr,
                 "vigil-core: usage: vigil-core SOCKET BUDGET_MS PID THREAD SIGNAL, with a core on stdin (see core_pattern in core(5))\n");
    return 2;
  }
  return run(job);
}
