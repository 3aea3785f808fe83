// A core that the kernel wrote of a real program (tests/e2e/crasher.c), and what was seen of the program in its last moment: stopped by ptrace, before it died.
#pragma once

#include "guest/core_dump/core_head.hpp"
#include "guest/core_dump/memory_map.hpp"
#include "guest/core_dump/stack_memory.hpp"
#include "guest/core_dump/victim.hpp"
#include "guest/process/small_file.hpp"
#include "tests/unit/guest/process/scene.hpp"

#include <elf.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <map>
#include <string>

namespace vigil::guest::core_dump {

class RealCore {
public:
  /// Skips the test where the kernel does not write cores into the working directory.
  explicit RealCore(const char* how, const char* program = CORE_VICTIM) {
    const std::string pattern = process::read_value("/proc/sys/kernel/core_pattern");
    if (pattern.empty() || pattern.find_first_of("|@/%") != std::string::npos) SKIP("kernel.core_pattern is not a plain name: " << pattern);
    pid = ::fork();
    if (pid == 0) die(how, program);
    stop_at_its_signal();
    maps = process::read_small_file("/proc/" + std::to_string(pid) + "/maps", 1 << 20).value_or("");
    modules = parse_maps(maps);
    open_modules(modules, pid);
    description = describe_victim(pid, pid, signal, maps);
    for (const pid_t tid : list_threads(pid, max_threads)) thread_names[tid] = thread_name(pid, tid);
    ::ptrace(PTRACE_CONT, pid, nullptr, signal);
    while (::waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) ::ptrace(PTRACE_CONT, pid, nullptr, WSTOPSIG(status));
    for (const auto& entry : std::filesystem::directory_iterator(directory.path()))
      if (entry.path().filename().string().starts_with("core")) read_file(entry.path());
    REQUIRE_FALSE(bytes.empty());
  }

  Result<CoreHead> head() const {
    std::size_t at = 0;
    return read_core_head([&](char* buffer, std::size_t size) {
      const std::size_t count = std::min({size, bytes.size() - at, std::size_t{777}});  // a pipe gives what it has
      std::memcpy(buffer, bytes.data() + at, count);
      at += count;
      return static_cast<std::ptrdiff_t>(count);
    });
  }

  std::ptrdiff_t read_memory(std::uint64_t address, char* buffer, std::size_t size) const {
    Elf64_Ehdr header;
    std::memcpy(&header, bytes.data(), sizeof header);
    for (std::size_t i = 0; i < header.e_phnum; ++i) {
      Elf64_Phdr segment;
      std::memcpy(&segment, bytes.data() + header.e_phoff + i * sizeof segment, sizeof segment);
      if (segment.p_type != PT_LOAD || address < segment.p_vaddr || address - segment.p_vaddr >= segment.p_filesz) continue;
      const std::uint64_t inside = address - segment.p_vaddr;
      const std::size_t count = std::min<std::uint64_t>(size, segment.p_filesz - inside);
      std::memcpy(buffer, bytes.data() + segment.p_offset + inside, count);
      return static_cast<std::ptrdiff_t>(count);
    }
    return -1;
  }

  TestDirectory directory;
  pid_t pid = 0;
  int signal = 0, status = 0;
  std::string maps, description, bytes;
  std::vector<Module> modules;
  std::map<pid_t, std::string> thread_names;

private:
  [[noreturn]] void die(const char* how, const char* program) const {
    const rlimit all{RLIM_INFINITY, RLIM_INFINITY};
    ::setrlimit(RLIMIT_CORE, &all);
    ::setenv("KEEP_CORE_LIMIT", "1", 1);
    if (::chdir(directory.path().c_str()) != 0 || ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(125);
    ::execl(program, program, how, static_cast<char*>(nullptr));
    ::_exit(126);
  }

  void stop_at_its_signal() {
    while (::waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
      signal = WSTOPSIG(status);
      if (signal != SIGTRAP) return;  // the stop at exec
      ::ptrace(PTRACE_CONT, pid, nullptr, 0);
    }
    FAIL("it ended without a signal: wait status " << status);
  }

  void read_file(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(file), {});
  }
};

}  // namespace vigil::guest::core_dump
