#include "guest/evidence/core_story.hpp"
#include "guest/core_dump/message.hpp"
#include "shared/protocol/codec.hpp"

#include <catch2/catch_test_macros.hpp>

#include <csignal>

namespace vigil::guest::evidence {

using guest::core_dump::make_message;

namespace {

std::string victim_message(const char* pid = "31") {
  return make_message({"victim", pid, "1", "4200", "33", "11", "web (x)", "/usr/bin/web", "/usr/bin/web --port 80", "/srv", "/vigil/web",
                       "33", "34", "4", "12", "20480", "30720", "77"});
}

CoreStory told(std::initializer_list<std::string> messages) {
  CoreStory story;
  for (const std::string& message : messages) story.add(message);
  return story;
}

}  // namespace

TEST_CASE("core story: a whole one becomes facts and a trace", "[guest][evidence]") {
  const CoreStory story =
      told({victim_message(), make_message({"signal", "11", "1", "ffffffffff600010", "0"}), make_message({"thread", "33", "web"}),
            make_message({"frame", "1234", "/usr/bin/web", "ab12", "parse"}), make_message({"frame", "99", "/lib/libc.so.6", "cd", ""}),
            make_message({"thread", "34", "worker"}), make_message({"frame", "5", "", "", ""}), make_message({"end"})});
  CHECK(story.odd_messages() == 0);
  REQUIRE(story.victim().has_value());
  CHECK(story.victim()->pid == 31);
  CHECK(story.victim()->comm == "web (x)");
  CHECK(story.victim()->cgroup == "/vigil/web");
  CHECK(story.victim()->facts == protocol::VictimFacts{"/usr/bin/web", "/usr/bin/web --port 80", "/srv", 33, 34, 4, 12, 77, 20480, 30720});
  const auto trace = story.trace("web-1", "not used");
  CHECK(trace.crash == "web-1");
  CHECK(trace.fault_address == 0xffffffffff600010U);
  CHECK(trace.reason == "SEGV_MAPERR");
  CHECK(trace.tid == 33);
  REQUIRE(trace.frames.size() == 2);
  CHECK(trace.frames[0] == protocol::TraceFrame{"/usr/bin/web", "ab12", "parse", 0x1234});
  REQUIRE(trace.threads.size() == 1);
  CHECK(trace.threads[0].name == "worker");
  CHECK_FALSE(trace.truncated);
  CHECK(trace.cut.empty());
}

TEST_CASE("core story: one that breaks off keeps what came and says that it did", "[guest][evidence]") {
  const auto frames = told({victim_message(), make_message({"thread", "33", "web"}), make_message({"frame", "1", "m", "", "f"})})
                          .trace("c", "the time was up");
  CHECK(frames.frames.size() == 1);
  CHECK(frames.truncated);
  CHECK(frames.cut == "the time was up");
  const auto nothing = told({victim_message()}).trace("c", "the helper ended");
  CHECK(nothing.cut == "the helper ended");
  const auto second = told({victim_message(), make_message({"thread", "33", ""}), make_message({"frame", "1", "m", "", "f"}),
                            make_message({"thread", "34", ""})})
                          .trace("c", "the time was up");
  CHECK(second.cut.empty());
  CHECK(second.threads.at(0).cut == "the time was up");
  CHECK(second.truncated);
}

TEST_CASE("core story: what was cut or left out makes it truncated", "[guest][evidence]") {
  CHECK(told({victim_message(), make_message({"thread", "1", ""}), make_message({"cut", "more than 64"}), make_message({"end"})})
            .trace("c", "")
            .cut == "more than 64");
  const auto left_out =
      told({victim_message(), make_message({"thread", "1", ""}), make_message({"left_out", "7"}), make_message({"end"})}).trace("c", "");
  CHECK(left_out.threads_left_out == 7);
  CHECK(left_out.truncated);
  CHECK(told({victim_message(), make_message({"cut", "not an ELF core"})}).trace("c", "x").cut == "not an ELF core");
}

TEST_CASE("core story: messages that are none are counted and change nothing", "[guest][evidence]") {
  CoreStory story = told({"", "nonsense", make_message({"frame", "1", "before", "any", "thread"}), make_message({"victim", "31"}),
                          victim_message("-4"), victim_message("x"), make_message({"thread", "one", ""}),
                          make_message({"signal", "11", "1", "0x12", "0"}), make_message({"left_out", "-1"})});
  CHECK(story.odd_messages() == 9);
  CHECK_FALSE(story.victim().has_value());
  story.add(victim_message("31"));
  story.add(victim_message("32"));
  CHECK(story.victim()->pid == 31);
  story.add(make_message({"end"}));
  story.add(make_message({"thread", "1", ""}));
  CHECK(story.trace("c", "").tid == 0);
  CHECK(story.odd_messages() == 11);
}

TEST_CASE("core story: it stays within the limits of a report whatever is told", "[guest][evidence]") {
  CoreStory story;
  story.add(victim_message());
  for (int thread = 0; thread < 200; ++thread) {
    story.add(make_message({"thread", std::to_string(thread), "t"}));
    for (int frame = 0; frame < 200; ++frame) story.add(make_message({"frame", "1", "m", "", "f"}));
  }
  story.add(make_message({"end"}));
  const auto trace = story.trace("c", "");
  CHECK(trace.frames.size() == 64);
  CHECK(trace.threads.size() == 63);
  CHECK(trace.threads[0].frames.size() == 32);
  CHECK(trace.threads_left_out == 136);
}

TEST_CASE("core story: names of any length and bytes give a trace that fits into a frame", "[guest][evidence]") {
  CoreStory story;
  story.add(victim_message());
  for (int thread = 0; thread < 64; ++thread) {
    story.add(make_message({"thread", "1", std::string(4000, '\xff')}));
    for (int frame = 0; frame < 32; ++frame)
      story.add(make_message({"frame", "1", std::string(4000, '\x01'), std::string(4000, '"'), std::string(4000, '\xff')}));
  }
  const auto trace = story.trace("c", "the time was up");
  CHECK(trace.frames.size() >= 8);
  CHECK(trace.threads.at(40).cut == "the trace would be too large");
  CHECK(protocol::encode_body(trace).size() < 512 * 1024);
}

TEST_CASE("core story: a signal's reason, and an address only where there is one", "[guest][evidence]") {
  CHECK(signal_reason(SIGSEGV, SEGV_ACCERR, 0, 31) == "SEGV_ACCERR");
  CHECK(signal_reason(SIGFPE, FPE_INTDIV, 0, 31) == "FPE_INTDIV");
  CHECK(signal_reason(SIGSEGV, SI_KERNEL, 0, 31) == "an address that no process can have");
  CHECK(signal_reason(SIGABRT, SI_TKILL, 12, 31) == "sent by pid 12");
  CHECK(signal_reason(SIGABRT, SI_TKILL, 31, 31) == "sent by itself");
  CHECK(signal_reason(SIGSEGV, 99, 0, 31) == "code 99");
  CHECK_FALSE(told({victim_message(), make_message({"signal", "11", "0", "55", "12"})}).trace("c", "").fault_address.has_value());
  CHECK_FALSE(told({victim_message(), make_message({"signal", "11", "128", "55", "0"})}).trace("c", "").fault_address.has_value());
  CHECK_FALSE(told({victim_message(), make_message({"signal", "6", "1", "55", "0"})}).trace("c", "").fault_address.has_value());
}

}  // namespace vigil::guest::evidence
