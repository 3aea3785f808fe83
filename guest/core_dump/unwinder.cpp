#include "guest/core_dump/unwinder.hpp"

#include "shared/base/hex.hpp"

#include <cxxabi.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <utility>

namespace vigil::guest::core_dump {
namespace {

constexpr std::size_t max_symbol_bytes = 1024, max_function_bytes = 512;

std::string build_id_of(Dwfl_Module* module) {
  const unsigned char* bits = nullptr;
  GElf_Addr ignored = 0;
  const int count = dwfl_module_build_id(module, &bits, &ignored);
  return count > 0 ? to_hex({reinterpret_cast<const char*>(bits), static_cast<std::size_t>(std::min(count, 64))}) : std::string();
}

std::string demangled(const char* symbol) {
  if (std::strncmp(symbol, "_Z", 2) != 0 || ::strnlen(symbol, max_symbol_bytes) == max_symbol_bytes)
    return std::string(symbol, ::strnlen(symbol, max_function_bytes));
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(abi::__cxa_demangle(symbol, nullptr, nullptr, &status), &std::free);
  if (status != 0 || !text) return symbol;
  return std::string(text.get(), ::strnlen(text.get(), max_function_bytes));
}

/// The root of this process holds /usr/lib/debug, if anything.
int open_debug_file(Dwfl_Module* module, void**, const char*, Dwarf_Addr, const char*, const char*, GElf_Word, char**) {
  const std::string id = build_id_of(module);
  if (id.size() < 3) return -1;
  return ::open(("/.build-id/" + id.substr(0, 2) + "/" + id.substr(2) + ".debug").c_str(), O_RDONLY | O_CLOEXEC);
}

int open_module_file(Dwfl_Module*, void** user_data, const char*, Dwarf_Addr, char**, Elf** elf) {
  const auto* const module = static_cast<const Module*>(*user_data);
  if (module == nullptr) return -1;
  if (module->file) return ::fcntl(module->file.get(), F_DUPFD_CLOEXEC, 3);
  if (!module->image.empty()) *elf = elf_memory(const_cast<char*>(module->image.data()), module->image.size());
  return -1;
}

class Unwinding {
public:
  Unwinding(const CoreHead& head, const StackMemory& memory, std::span<const Module> modules, const FrameSink& sink,
            const std::function<bool()>& is_late)
      : head_(head), memory_(memory), sink_(sink), is_late_(is_late), dwfl_(dwfl_begin(&file_callbacks)) {
    if (!dwfl_) return;
    dwfl_report_begin(dwfl_.get());
    for (const Module& module : modules) report(module);
    dwfl_report_end(dwfl_.get(), nullptr, nullptr);
    attached_ = !head.threads.empty() && dwfl_attach_state(dwfl_.get(), nullptr, head.threads[0].tid, &thread_callbacks, this);
    if (!attached_) why_not_ = last_error();
  }

  void run() {
    for (const ThreadState& thread : head_.threads) {
      const bool is_late = is_late_();
      sink_.thread(thread);
      if (is_late)
        sink_.cut("the time was up");
      else
        unwind(thread);
    }
  }

private:
  struct End {
    void operator()(Dwfl* dwfl) const { dwfl_end(dwfl); }
  };

  static std::string last_error() {
    const char* const text = dwfl_errmsg(-1);
    return text == nullptr ? "no call-frame information" : text;
  }

  void report(const Module& module) {
    Dwfl_Module* const made = dwfl_report_module(dwfl_.get(), module.path.c_str(), module.start, module.end);
    void** user_data = nullptr;
    if (made != nullptr && dwfl_module_info(made, &user_data, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr) != nullptr)
      *user_data = const_cast<Module*>(&module);
  }

  void unwind(const ThreadState& thread) {
    current_ = thread;
    frames_ = 0;
    most_frames_ = &thread == head_.threads.data() ? max_frames_crashing : max_frames_other;
    if (!attached_) {
      tell(thread.registers[instruction_pointer], false);
      return sink_.cut(why_not_);
    }
    step_out_of_nowhere();
    missed_memory_ = false;
    const int end = dwfl_getthread_frames(dwfl_.get(), thread.tid, on_frame, this);
    if (end == 0 && missed_memory_) sink_.cut("the caller's place on the stack could not be read");
    if (end < 0) sink_.cut(last_error());
    if (end == too_many) sink_.cut("there are more than " + std::to_string(most_frames_) + " frames");
    if (end == too_late) sink_.cut("the time was up");
  }

  /// A call of a null or wild pointer leaves an instruction pointer where no code is: its caller is on top of the stack.
  void step_out_of_nowhere() {
    returned_ = false;
    std::uint64_t& pc = current_.registers[instruction_pointer];
    if (dwfl_addrmodule(dwfl_.get(), pc) != nullptr) return;
    const auto caller = memory_.word(current_.registers[stack_pointer]);
    if (!caller || dwfl_addrmodule(dwfl_.get(), *caller - 1) == nullptr) return;
    tell(pc, false);
    pc = *caller;
    current_.registers[stack_pointer] += 8;
    returned_ = true;
  }

  /// `after_call`: the address is where a call returns to, which may be the next function's first byte.
  void tell(std::uint64_t pc, bool after_call) {
    Frame frame;
    frame.offset = pc;
    const std::uint64_t inside = pc - (after_call ? 1 : 0);
    Dwfl_Module* const module = dwfl_ ? dwfl_addrmodule(dwfl_.get(), inside) : nullptr;
    std::string function;
    if (module != nullptr) {
      GElf_Addr bias = 0, offset = 0;
      GElf_Sym symbol;
      frame.module = dwfl_module_info(module, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr);
      if (dwfl_module_getelf(module, &bias) != nullptr) frame.offset = pc - bias;
      const auto known = build_ids_.find(module);
      frame.build_id = known != build_ids_.end() ? known->second : build_ids_.emplace(module, build_id_of(module)).first->second;
      const char* const name = dwfl_module_addrinfo(module, inside, &offset, &symbol, nullptr, nullptr, nullptr);
      const bool is_inside = name != nullptr && (symbol.st_size == 0 || offset < symbol.st_size);
      if (is_inside) function = demangled(name);
    }
    frame.function = function;
    ++frames_;
    sink_.frame(frame);
  }

  static int on_frame(Dwfl_Frame* state, void* argument) {
    auto* const self = static_cast<Unwinding*>(argument);
    Dwarf_Addr pc = 0;
    bool is_activation = false;
    if (!dwfl_frame_pc(state, &pc, &is_activation)) return -1;
    if (self->frames_ == self->most_frames_) return too_many;
    if (self->is_late_()) return too_late;
    self->missed_memory_ = false;
    self->tell(pc, !is_activation || std::exchange(self->returned_, false));
    return DWARF_CB_OK;
  }

  static bool read_memory(Dwfl*, Dwarf_Addr address, Dwarf_Word* result, void* argument) {
    auto* const self = static_cast<Unwinding*>(argument);
    const auto value = self->memory_.word(address);
    if (value)
      *result = *value;
    else
      self->missed_memory_ = true;   // libdwfl takes a caller that it cannot read for none
    return value.has_value();
  }

  static pid_t next_thread(Dwfl*, void*, void**) { return 0; }   // asked for by number only

  static bool get_thread(Dwfl*, pid_t, void* argument, void** thread) {
    *thread = argument;
    return true;
  }

  static bool set_registers(Dwfl_Thread* thread, void* argument) {
    const auto& registers = static_cast<const Unwinding*>(argument)->current_.registers;
    return dwfl_thread_state_registers(thread, 0, dwarf_registers, registers.data());
  }

  static constexpr int too_many = DWARF_CB_ABORT, too_late = DWARF_CB_ABORT + 1;
  static constexpr Dwfl_Callbacks file_callbacks{open_module_file, open_debug_file, nullptr, nullptr};
  static constexpr Dwfl_Thread_Callbacks thread_callbacks{next_thread, get_thread, read_memory, set_registers, nullptr, nullptr};

  const CoreHead& head_;
  const StackMemory& memory_;
  const FrameSink& sink_;
  const std::function<bool()>& is_late_;
  std::unique_ptr<Dwfl, End> dwfl_;
  bool attached_ = false, returned_ = false, missed_memory_ = false;
  std::string why_not_;
  ThreadState current_;
  std::size_t frames_ = 0, most_frames_ = 0;
  std::map<Dwfl_Module*, std::string> build_ids_;
};

}  // namespace

void unwind_threads(const CoreHead& head, const StackMemory& memory, std::span<const Module> modules, const FrameSink& sink,
                    const std::function<bool()>& is_late) {
  Unwinding(head, memory, modules, sink, is_late).run();
}

}  // namespace vigil::guest::core_dump
