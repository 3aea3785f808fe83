#include "guest/evidence/core_story.hpp"

#include "guest/core_dump/message.hpp"
#include "guest/process/words.hpp"

#include <algorithm>
#include <csignal>
#include <utility>

namespace vigil::guest::evidence {
namespace {

constexpr std::size_t most_threads = 64, most_frames = 64, most_frames_of_others = 32;
constexpr std::size_t most_path_bytes = 1024, most_function_bytes = 512, most_id_bytes = 64;
constexpr std::size_t most_json_bytes = 256 * 1024, frame_json_bytes = 64;

template <class Number>
bool number_or_none(std::string_view text, Number& number) {
  return text.empty() || process::parse_whole(text, number);
}

/// How long it gets at most: a byte that is not plain becomes an escape of six bytes, or less.
std::size_t json_bytes(std::string_view text) {
  const auto is_plain = [](char byte) { return byte >= ' ' && byte <= '~' && byte != '"' && byte != '\\'; };
  return 6 * text.size() - 5 * static_cast<std::size_t>(std::count_if(text.begin(), text.end(), is_plain));
}

struct CodeName {
  int signal, code;
  const char* name;
};

constexpr CodeName code_names[] = {
    {SIGSEGV, SEGV_MAPERR, "SEGV_MAPERR"}, {SIGSEGV, SEGV_ACCERR, "SEGV_ACCERR"}, {SIGSEGV, SEGV_BNDERR, "SEGV_BNDERR"},
    {SIGSEGV, SEGV_PKUERR, "SEGV_PKUERR"}, {SIGBUS, BUS_ADRALN, "BUS_ADRALN"},    {SIGBUS, BUS_ADRERR, "BUS_ADRERR"},
    {SIGBUS, BUS_OBJERR, "BUS_OBJERR"},    {SIGILL, ILL_ILLOPC, "ILL_ILLOPC"},    {SIGILL, ILL_ILLOPN, "ILL_ILLOPN"},
    {SIGILL, ILL_ILLADR, "ILL_ILLADR"},    {SIGILL, ILL_PRVOPC, "ILL_PRVOPC"},    {SIGFPE, FPE_INTDIV, "FPE_INTDIV"},
    {SIGFPE, FPE_INTOVF, "FPE_INTOVF"},    {SIGFPE, FPE_FLTDIV, "FPE_FLTDIV"},    {SIGFPE, FPE_FLTINV, "FPE_FLTINV"},
};

bool has_address(int signal, int code) {
  const int kinds[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
  return code > 0 && code != SI_KERNEL && std::find(std::begin(kinds), std::end(kinds), signal) != std::end(kinds);
}

}  // namespace

std::string signal_reason(int signal, int code, pid_t sender, pid_t victim) {
  if (code <= 0 && sender == victim) return "sent by itself";
  if (code <= 0) return "sent by pid " + std::to_string(sender);
  if (code == SI_KERNEL) return signal == SIGSEGV ? "an address that no process can have" : "by the kernel";
  for (const CodeName& row : code_names)
    if (row.signal == signal && row.code == code) return row.name;
  return "code " + std::to_string(code);
}

void CoreStory::add(std::string_view message) {
  if (!take(core_dump::fields_of(message))) ++odd_;
}

bool CoreStory::take(const Fields& fields) {
  const std::string_view kind = fields[0];
  if (ended_) return false;
  if (kind == "victim") return take_victim(fields);
  if (kind == "signal") return take_signal(fields);
  if (kind == "thread") return take_thread(fields);
  if (kind == "frame") return take_frame(fields);
  if (kind == "cut") return take_cut(fields);
  if (kind == "left_out") return fields.size() == 2 && process::parse_whole(fields[1], left_out_);
  if (kind == "end") return ended_ = true;
  return false;
}

bool CoreStory::take_victim(const Fields& fields) {
  constexpr std::size_t count = 18;
  if (victim_ || fields.size() < count) return false;   // a newer helper may know more
  CoreVictim victim;
  protocol::VictimFacts& facts = victim.facts;
  const bool read = process::parse_whole(fields[1], victim.pid) && number_or_none(fields[2], victim.parent) &&
                    number_or_none(fields[3], victim.start_ticks) && number_or_none(fields[4], victim.tid) &&
                    number_or_none(fields[5], victim.signal) && number_or_none(fields[11], facts.uid) &&
                    number_or_none(fields[12], facts.gid) && number_or_none(fields[13], facts.threads) &&
                    number_or_none(fields[14], facts.descriptors) && number_or_none(fields[15], facts.resident_kib) &&
                    number_or_none(fields[16], facts.peak_kib) && number_or_none(fields[17], facts.mappings);
  if (!read || victim.pid <= 0) return false;
  victim.comm = fields[6];
  facts.executable = fields[7];
  facts.command_line = fields[8];
  facts.directory = fields[9];
  victim.cgroup = fields[10];
  victim_ = std::move(victim);
  return true;
}

bool CoreStory::take_signal(const Fields& fields) {
  int signal = 0, code = 0;
  std::uint64_t address = 0;
  pid_t sender = 0;
  if (!reason_.empty() || fields.size() != 5 || !process::parse_whole(fields[1], signal) || !process::parse_whole(fields[2], code) ||
      !process::parse_whole(fields[3], address, 16) || !process::parse_whole(fields[4], sender))
    return false;
  reason_ = signal_reason(signal, code, sender, victim_ ? victim_->pid : 0);
  if (has_address(signal, code)) fault_address_ = address;
  return true;
}

bool CoreStory::take_thread(const Fields& fields) {
  protocol::TraceThread thread;
  if (fields.size() != 3 || !process::parse_whole(fields[1], thread.tid)) return false;
  if (threads_.size() == most_threads) {
    ++left_out_;
    return true;
  }
  thread.name = fields[2];
  threads_.push_back(std::move(thread));
  return true;
}

bool CoreStory::take_frame(const Fields& fields) {
  protocol::TraceFrame frame;
  if (threads_.empty() || fields.size() != 5 || !process::parse_whole(fields[1], frame.offset, 16)) return false;
  auto& frames = threads_.back().frames;
  if (frames.size() >= (threads_.size() == 1 ? most_frames : most_frames_of_others)) return false;
  frame.module = fields[2].substr(0, most_path_bytes);
  frame.build_id = fields[3].substr(0, most_id_bytes);
  frame.function = fields[4].substr(0, most_function_bytes);
  json_bytes_ += frame_json_bytes + json_bytes(frame.module) + json_bytes(frame.build_id) + json_bytes(frame.function);
  if (json_bytes_ > most_json_bytes)
    threads_.back().cut = "the trace would be too large";
  else
    frames.push_back(std::move(frame));
  return true;
}

bool CoreStory::take_cut(const Fields& fields) {
  if (fields.size() != 2 || fields[1].empty()) return false;
  (threads_.empty() ? cut_ : threads_.back().cut) = fields[1];
  return true;
}

protocol::CrashTrace CoreStory::trace(const std::string& crash, const std::string& unfinished) const {
  protocol::CrashTrace trace;
  trace.crash = crash;
  trace.fault_address = fault_address_;
  trace.reason = reason_;
  trace.threads_left_out = left_out_;
  if (!threads_.empty()) {
    trace.tid = threads_[0].tid;
    trace.thread = threads_[0].name;
    trace.frames = threads_[0].frames;
    trace.cut = threads_[0].cut;
    trace.threads.assign(threads_.begin() + 1, threads_.end());
  }
  if (trace.cut.empty()) trace.cut = cut_;
  std::string& last_cut = trace.threads.empty() ? trace.cut : trace.threads.back().cut;   // it ended in the middle of that thread
  if (!ended_ && last_cut.empty()) last_cut = unfinished;
  trace.truncated =
      !ended_ || !trace.cut.empty() || left_out_ > 0 ||
      std::any_of(trace.threads.begin(), trace.threads.end(), [](const protocol::TraceThread& thread) { return !thread.cut.empty(); });
  return trace;
}

}  // namespace vigil::guest::evidence
