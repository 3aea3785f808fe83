#include "guest/core_dump/core_head.hpp"

#include <elf.h>
#include <sys/procfs.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <string_view>

namespace vigil::guest::core_dump {
namespace {

constexpr std::uint64_t max_header_bytes = 16 << 20;   // program headers: 56 bytes a mapping
constexpr std::uint64_t max_note_bytes = 256 << 20;    // 16 KiB a thread with the widest vector registers
constexpr std::size_t max_note_name = 64;

/// Hands out the bytes of a stream in order; the place in the stream is what the headers speak of.
class HeadStream {
public:
  explicit HeadStream(const ByteSource& source) : source_(source) {}

  Result<void> take(void* target, std::size_t size) {
    char* out = static_cast<char*>(target);
    for (std::size_t done = 0; done < size;) {
      const std::ptrdiff_t count = source_(out + done, size - done);
      if (count <= 0) return Error(Errc::invalid, "the core ends after " + std::to_string(at_ + done) + " bytes");
      done += std::min(static_cast<std::size_t>(count), size - done);
    }
    at_ += size;
    return {};
  }

  Result<void> skip(std::uint64_t size) {
    char scratch[4096];
    while (size > 0) {
      const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(size, sizeof scratch));
      TRY_VOID(take(scratch, part));
      size -= part;
    }
    return {};
  }

  std::uint64_t at() const { return at_; }

private:
  const ByteSource& source_;
  std::uint64_t at_ = 0;
};

Result<Elf64_Ehdr> read_file_header(HeadStream& stream) {
  Elf64_Ehdr header;
  TRY_VOID(stream.take(&header, sizeof header));
  const bool is_core =
      std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 && header.e_ident[EI_DATA] == ELFDATA2LSB && header.e_type == ET_CORE;
  if (!is_core) return Error(Errc::invalid, "not an ELF core");
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64)
    return Error(Errc::invalid, "not a core of a 64-bit x86 program");
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0 || header.e_phoff < sizeof header)
    return Error(Errc::invalid, "the core's header has no program headers");
  if (header.e_phoff > max_header_bytes) return Error(Errc::limit, "the core's program headers lie too far in");
  return header;
}

/// Linux describes the notes first, and the file header cannot count more than 65,534 others.
Result<Elf64_Phdr> read_note_segment(HeadStream& stream, const Elf64_Ehdr& header) {
  TRY_VOID(stream.skip(header.e_phoff - stream.at()));
  Elf64_Phdr segment;
  TRY_VOID(stream.take(&segment, sizeof segment));
  if (segment.p_type != PT_NOTE) return Error(Errc::invalid, "the core does not begin with its notes");
  if (segment.p_offset < stream.at()) return Error(Errc::invalid, "the core's notes overlap its headers");
  if (segment.p_offset > max_header_bytes || segment.p_filesz > max_note_bytes)
    return Error(Errc::limit, "the core's notes are out of all proportion");
  TRY_VOID(stream.skip(segment.p_offset - stream.at()));
  return segment;
}

ThreadState thread_of(const elf_prstatus& status) {
  user_regs_struct user;
  static_assert(sizeof user == sizeof status.pr_reg);
  std::memcpy(&user, &status.pr_reg, sizeof user);
  ThreadState thread;
  thread.tid = status.pr_pid;
  thread.registers = {user.rax, user.rdx, user.rcx, user.rbx, user.rsi, user.rdi, user.rbp, user.rsp, user.r8,
                      user.r9,  user.r10, user.r11, user.r12, user.r13, user.r14, user.r15, user.rip};
  return thread;
}

SignalFacts signal_of(const siginfo_t& info) {
  const bool by_kernel = info.si_code > 0;   // else the union holds who sent it
  return {info.si_signo, info.si_code, by_kernel ? reinterpret_cast<std::uint64_t>(info.si_addr) : 0, by_kernel ? 0 : info.si_pid};
}

class NoteReader {
public:
  NoteReader(HeadStream& stream, std::uint64_t size) : stream_(stream), end_(stream.at() + size) {}

  Result<CoreHead> read() {
    while (stream_.at() + sizeof(Elf64_Nhdr) <= end_) TRY_VOID(note());
    if (head_.threads.empty()) return Error(Errc::invalid, "the core names no thread");
    return std::move(head_);
  }

private:
  Result<void> note() {
    Elf64_Nhdr header;
    TRY_VOID(stream_.take(&header, sizeof header));
    const std::uint64_t name_size = padded(header.n_namesz);
    if (stream_.at() + name_size + padded(header.n_descsz) > end_) return Error(Errc::invalid, "a note is longer than the core's notes");
    char name[max_note_name] = {};
    const auto kept = std::min<std::uint64_t>(name_size, sizeof name);
    TRY_VOID(stream_.take(name, kept));
    TRY_VOID(stream_.skip(name_size - kept));
    const bool is_core = header.n_namesz == 5 && std::string_view(name, 5) == std::string_view("CORE", 5);
    return is_core ? described(header) : stream_.skip(padded(header.n_descsz));
  }

  Result<void> described(const Elf64_Nhdr& header) {
    std::uint64_t left = padded(header.n_descsz);
    if (header.n_type == NT_PRSTATUS && header.n_descsz >= sizeof(elf_prstatus)) {
      elf_prstatus status;
      TRY_VOID(stream_.take(&status, sizeof status));
      left -= sizeof status;
      if (head_.threads.size() < max_threads)
        head_.threads.push_back(thread_of(status));
      else
        ++head_.threads_left_out;
    }
    if (header.n_type == NT_SIGINFO && header.n_descsz >= sizeof(siginfo_t) && !head_.signal) {
      siginfo_t info;
      TRY_VOID(stream_.take(&info, sizeof info));
      left -= sizeof info;
      head_.signal = signal_of(info);
    }
    return stream_.skip(left);
  }

  static std::uint64_t padded(std::uint64_t size) { return (size + 3) / 4 * 4; }

  HeadStream& stream_;
  const std::uint64_t end_;
  CoreHead head_;
};

}  // namespace

Result<CoreHead> read_core_head(const ByteSource& source) {
  HeadStream stream(source);
  TRY(header, read_file_header(stream));
  TRY(notes, read_note_segment(stream, header));
  return NoteReader(stream, notes.p_filesz).read();
}

}  // namespace vigil::guest::core_dump
