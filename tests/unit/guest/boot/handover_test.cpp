#include "guest/boot/handover.hpp"

#include <catch2/catch_test_macros.hpp>

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

namespace vigil::guest::boot {

namespace {

const BootId boot_id("01234567-89ab-cdef-0123-456789abcdef");

Handover full_handover() {
  Handover handover;
  handover.life = 3;
  handover.outbox.next_seq = 9;
  handover.outbox.last_sent = 3;
  handover.outbox.highest_sent = 4;
  protocol::Report stage{boot_id, 0, 4, 123'456, protocol::StageReport{protocol::Stage::rootfs, protocol::StageReport::Phase::done, "two\nlines", {}}};
  handover.outbox.reports = {stage};
  handover.link_fd = 11;
  handover.link_welcomed = true;
  handover.link_unread = std::string("\x00\x01\n\xff", 4);
  handover.link_unsent = "half a frame";
  protocol::Welcome welcome;
  welcome.token = "secret";
  welcome.epoch = 2;
  welcome.config.services["web"] = R"({"env":{"A":"b"}})";
  welcome.config.secrets["key"] = "line\nline";
  welcome.config.hostname = "box";
  handover.welcome = welcome;
  return handover;
}

}  // namespace

TEST_CASE("handover: what one life writes the next one reads", "[guest][boot]") {
  for (const Handover& handover : {Handover{}, full_handover()}) {
    const auto decoded = decode_handover(encode_handover(handover, boot_id));
    REQUIRE(decoded.has_value());
    REQUIRE(*decoded == handover);
  }
}

TEST_CASE("handover: the file is for root only and is gone once it is read", "[guest][boot]") {
  char folder[] = "/tmp/vigil-handover-test-XXXXXX";
  REQUIRE(::mkdtemp(folder) != nullptr);
  const std::string path = std::string(folder) + "/handover";
  REQUIRE(write_handover(full_handover(), boot_id, path).has_value());
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  REQUIRE((status.st_mode & 0777) == 0600);

  const auto taken = take_handover(path);
  REQUIRE(taken.has_value());
  REQUIRE(*taken == full_handover());
  REQUIRE(::access(path.c_str(), F_OK) != 0);
  REQUIRE(take_handover(path).error().code() == Errc::not_found);
  ::rmdir(folder);
}

TEST_CASE("handover: who is killed before it has written anything leaves token and numbers to its follower", "[guest][boot]") {
  char folder[] = "/tmp/vigil-handover-test-XXXXXX";
  REQUIRE(::mkdtemp(folder) != nullptr);
  const std::string path = std::string(folder) + "/handover";
  REQUIRE(follow_handover(boot_id, path).error().code() == Errc::not_found);
  REQUIRE(::access(path.c_str(), F_OK) != 0);
  const auto first = full_handover();
  REQUIRE(write_handover(first, boot_id, path).has_value());
  REQUIRE(*follow_handover(boot_id, path) == first);

  Seq before = first.outbox.next_seq;
  for (std::uint32_t life = first.life + 1; life < first.life + 5; ++life) {   // each is killed as soon as it has read
    const auto follower = follow_handover(boot_id, path);
    REQUIRE(follower.has_value());
    REQUIRE(follower->life == life);
    REQUIRE(follower->welcome == first.welcome);
    REQUIRE(follower->outbox.next_seq > before);
    REQUIRE(follows_a_sudden_end(follower->outbox.next_seq));
    REQUIRE(follower->link_fd == -1);
    before = follower->outbox.next_seq;
  }
  ::unlink(path.c_str());
  REQUIRE(::rmdir(folder) == 0);   // nothing else was left beside it
}

TEST_CASE("handover: one that is killed while it writes leaves the former, whole", "[guest][boot]") {
  char folder[] = "/tmp/vigil-handover-test-XXXXXX";
  REQUIRE(::mkdtemp(folder) != nullptr);
  const std::string path = std::string(folder) + "/handover";
  REQUIRE(write_handover(full_handover(), boot_id, path).has_value());
  REQUIRE(::mkdir((path + ".new").c_str(), 0700) == 0);   // the writer fails before the file is replaced
  REQUIRE_FALSE(write_handover(Handover{}, boot_id, path).has_value());
  REQUIRE(*follow_handover(boot_id, path) == full_handover());   // which cannot leave another, and has what it needs all the same
  REQUIRE(*take_handover(path) == full_handover());
  ::rmdir((path + ".new").c_str());
  ::rmdir(folder);
}

TEST_CASE("handover: a text that is cut or of another format is refused", "[guest][boot]") {
  const std::string text = encode_handover(full_handover(), boot_id);
  REQUIRE_FALSE(decode_handover(text.substr(0, text.size() - 1)).has_value());
  REQUIRE_FALSE(decode_handover("vigil-handover 2\n").has_value());
  REQUIRE_FALSE(decode_handover("vigil-handover 1\nnext_seq many\n").has_value());
  REQUIRE_FALSE(decode_handover("vigil-handover 1\nmessage {\"v\":1}\n").has_value());
  REQUIRE_FALSE(decode_handover("").has_value());
}

TEST_CASE("handover: a life that knows nothing uses numbers that the one before cannot have used", "[guest][boot]") {
  REQUIRE(unknown_numbers().next_seq > 1'000'000);
  REQUIRE(unknown_numbers().next_seq < (Seq{1} << 53));
}

TEST_CASE("handover: a life after a sudden end has numbers that none before it can have used", "[guest][boot]") {
  Seq next = 17;
  Seq before = 0;
  for (int life = 1; life < 5; ++life) {
    const auto state = numbers_after(next);
    REQUIRE(state.next_seq > before);
    REQUIRE(state.next_seq > next);
    REQUIRE(follows_a_sudden_end(state.next_seq));
    before = state.next_seq;
    next = state.next_seq + 1000;   // what that life reported
    REQUIRE_FALSE(follows_a_sudden_end(next));
  }
  REQUIRE(numbers_after(17) == unknown_numbers());
}

}  // namespace vigil::guest::boot
