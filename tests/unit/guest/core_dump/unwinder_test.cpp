#include "guest/core_dump/unwinder.hpp"
#include "guest/core_dump/message.hpp"
#include "tests/unit/guest/core_dump/real_core.hpp"

#include <catch2/generators/catch_generators.hpp>

namespace vigil::guest::core_dump {

namespace {

struct TracedThread {
  pid_t tid = 0;
  std::vector<std::string> functions, modules, build_ids;
  std::vector<std::uint64_t> offsets;
  std::string cut;
};

std::vector<TracedThread> trace(const RealCore& core, const std::function<bool()>& is_late = [] { return false; }) {
  const auto head = core.head();
  REQUIRE(head.has_value());
  StackMemory memory;
  memory.capture(*head, [&](std::uint64_t address, char* buffer, std::size_t size) { return core.read_memory(address, buffer, size); });
  std::vector<TracedThread> threads;
  FrameSink sink;
  sink.thread = [&](const ThreadState& thread) { threads.push_back({thread.tid, {}, {}, {}, {}, {}}); };
  sink.frame = [&](const Frame& frame) {
    threads.back().functions.emplace_back(frame.function);
    threads.back().modules.emplace_back(frame.module);
    threads.back().build_ids.emplace_back(frame.build_id);
    threads.back().offsets.push_back(frame.offset);
  };
  sink.cut = [&](std::string_view why) { threads.back().cut = why; };
  unwind_threads(*head, memory, core.modules, sink, is_late);
  return threads;
}

using Words = std::vector<std::string>;

Words from(const Words& words, const std::string& first) { return Words(std::find(words.begin(), words.end(), first), words.end()); }

}  // namespace

TEST_CASE("unwinder: each of the five faults, from where it happened to the program's start", "[guest][core_dump]") {
  using Fault = std::pair<const char*, const char*>;
  const auto [how, function] = GENERATE(Fault("segv", "write_nowhere"), Fault("abrt", "give_up"), Fault("bus", "read_past_the_file"),
                                        Fault("ill", "run_nonsense"), Fault("fpe", "divide_by_zero"));
  CAPTURE(how);
  const RealCore core(how);
  const auto threads = trace(core);
  REQUIRE(threads.size() == 1);
  const Words found = from(threads[0].functions, function);
  REQUIRE(found.size() >= 4);
  CHECK(Words(found.begin(), found.begin() + 3) == Words{function, "work", "main"});
  CHECK(found.back() == "_start");
  CHECK(threads[0].cut.empty());
  CHECK(threads[0].modules.back() == CORE_VICTIM);
  CHECK(threads[0].build_ids.back().size() == 40);
}

TEST_CASE("unwinder: a program at a fixed address, as Go's are, has names and a build id, too", "[guest][core_dump]") {
  const RealCore core("segv", CORE_VICTIM_FIXED);
  const auto threads = trace(core);
  REQUIRE(threads.size() == 1);
  const Words found = from(threads[0].functions, "write_nowhere");
  REQUIRE(found.size() >= 4);
  CHECK(Words(found.begin(), found.begin() + 3) == Words{"write_nowhere", "work", "main"});
  CHECK(threads[0].modules.back() == CORE_VICTIM_FIXED);
  CHECK(threads[0].build_ids.back().size() == 40);
}

TEST_CASE("maps: a mapping is named as map_files spells it", "[guest][core_dump]") {
  const auto modules = parse_maps("00400000-00401000 r-xp 00000000 08:01 7 /bin/fixed\n7f0000001000-7f0000002000 r-xp 00000000 08:01 8 /lib/moved\n");
  REQUIRE(modules.size() == 2);
  CHECK(modules[0].one_mapping == "400000-401000");
  CHECK(modules[1].one_mapping == "7f0000001000-7f0000002000");
}

TEST_CASE("unwinder: all threads, with what each was doing", "[guest][core_dump]") {
  const RealCore core("threads");
  const auto threads = trace(core);
  REQUIRE(threads.size() == 4);
  CHECK(threads[0].functions[0] == "write_nowhere");
  for (std::size_t i = 1; i < threads.size(); ++i) {
    // On a busy machine it may not have come as far as its sleep.
    CHECK_FALSE(from(threads[i].functions, "idle_worker").empty());
    CHECK(threads[i].cut.empty());
    CHECK(core.thread_names.at(threads[i].tid) == "idle-worker");
  }
}

TEST_CASE("unwinder: a deep recursion ends after 64 frames and says so", "[guest][core_dump]") {
  const RealCore core("recursion");
  const auto threads = trace(core);
  CHECK(threads[0].functions == Words(64, "dig_deeper"));
  CHECK(threads[0].cut == "there are more than 64 frames");
}

TEST_CASE("unwinder: a call of a null pointer leads to the caller", "[guest][core_dump]") {
  const RealCore core("null-call");
  const auto threads = trace(core);
  REQUIRE(threads[0].functions.size() > 3);
  CHECK(threads[0].offsets[0] == 0);
  CHECK(threads[0].modules[0].empty());
  CHECK(Words(threads[0].functions.begin() + 1, threads[0].functions.begin() + 4) == Words{"call_nothing", "work", "main"});
}

TEST_CASE("unwinder: a stack that is not there is told from a program's start", "[guest][core_dump]") {
  const RealCore core("lost-stack");
  const auto threads = trace(core);
  CHECK(threads[0].functions == Words{"lose_the_stack"});
  CHECK(threads[0].cut == "the caller's place on the stack could not be read");
}

TEST_CASE("unwinder: a stripped program gives offsets that its unstripped twin explains", "[guest][core_dump]") {
  const RealCore whole("segv"), stripped("segv", CORE_VICTIM_STRIPPED);
  const auto named = trace(whole), bare = trace(stripped);
  CHECK(bare[0].functions[0].empty());
  CHECK(bare[0].modules[0] == CORE_VICTIM_STRIPPED);
  CHECK(bare[0].offsets[0] == named[0].offsets[0]);
  CHECK(bare[0].build_ids[0] == named[0].build_ids[0]);
}

TEST_CASE("unwinder: when the time is up the trace says so, and what it has is kept", "[guest][core_dump]") {
  const RealCore core("segv");
  int asked = 0;
  const auto threads = trace(core, [&] { return ++asked > 2; });
  CHECK(threads[0].functions == Words{"write_nowhere"});
  CHECK(threads[0].cut == "the time was up");
}

TEST_CASE("unwinder: of a program that was deleted while it ran, the very file that was mapped", "[guest][core_dump]") {
  const guest::TestDirectory directory;
  const std::string copy = directory.path() + "/short-lived";
  std::filesystem::copy_file(CORE_VICTIM, copy);
  ::setenv("DELETE_ME", copy.c_str(), 1);
  const RealCore core("segv", copy.c_str());
  ::unsetenv("DELETE_ME");
  CHECK_FALSE(std::filesystem::exists(copy));
  const auto threads = trace(core);
  CHECK(threads[0].functions[0] == "write_nowhere");
  CHECK(threads[0].modules[0] == copy + " (deleted)");
}

TEST_CASE("unwinder: registers and memory of nowhere give one bare frame", "[guest][core_dump]") {
  CoreHead head;
  head.threads.emplace_back();
  head.threads[0].tid = 5;
  head.threads[0].registers.fill(~std::uint64_t{0});
  int frames = 0;
  std::string why;
  FrameSink sink{[](const ThreadState&) {}, [&](const Frame&) { ++frames; }, [&](std::string_view cut) { why = cut; }};
  unwind_threads(head, StackMemory(), {}, sink, [] { return false; });
  CHECK(frames == 1);
  CHECK_FALSE(why.empty());
}

TEST_CASE("victim: what /proc tells of it while it lives", "[guest][core_dump]") {
  const RealCore core("threads");
  const auto fields = fields_of(core.description);
  REQUIRE(fields.size() == 18);
  CHECK(fields[0] == "victim");
  CHECK(fields[1] == std::to_string(core.pid));
  CHECK(fields[2] == std::to_string(::getpid()));
  CHECK(fields[5] == std::to_string(SIGSEGV));
  CHECK(fields[7] == CORE_VICTIM);
  CHECK(fields[8] == std::string(CORE_VICTIM) + " threads");
  CHECK(fields[9] == core.directory.path());
  CHECK(fields[11] == std::to_string(::geteuid()));
  CHECK(fields[13] == "4");
}

TEST_CASE("message: fields come back, NUL bytes become blanks, and nothing grows without bound", "[guest][core_dump]") {
  CHECK(fields_of(make_message({"frame", "", "x"})) == std::vector<std::string_view>{"frame", "", "x"});
  CHECK(fields_of(make_message({"a", std::string_view("b\0c", 3)})) == std::vector<std::string_view>{"a", "b c"});
  CHECK(make_message({"a", std::string(1 << 20, 'x')}).size() == max_message_bytes);
  CHECK(fields_of(std::string(1000, '\0')).size() == max_message_fields);
  CHECK(fields_of("") == std::vector<std::string_view>{""});
}

}  // namespace vigil::guest::core_dump
