#include "guest/dbus/message.hpp"

#include "tests/unit/guest/dbus/wire_builder.hpp"

#include <catch2/catch_test_macros.hpp>

namespace vigil::guest::dbus {

using vigil::guest::dbus::test::Header;
using vigil::guest::dbus::test::make_message;
using vigil::guest::dbus::test::Wire;

namespace {

std::string job_removed() {
  return make_message({4, 77, 0, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "JobRemoved", "", "uoss"},
                      Wire().u(3).s("/job/3").s("web.service").s("failed").bytes());
}

}  // namespace

TEST_CASE("dbus message: is the same however its bytes are cut", "[guest][dbus]") {
  const std::string bytes = job_removed() + make_message({2, 78, 5, "", "", "", "", ""}, "");
  for (std::size_t piece = 1; piece <= bytes.size(); piece += 3) {
    MessageReader reader;
    std::vector<Message> messages;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      reader.add(std::string_view(bytes).substr(at, piece));
      for (auto message = reader.next(); message && *message; message = reader.next()) messages.push_back(**message);
    }
    REQUIRE(messages.size() == 2);
    REQUIRE(messages[0].kind == Message::Kind::signal);
    REQUIRE(messages[0].member == "JobRemoved");
    auto body = messages[0].reader();
    body.skip();
    body.skip();
    REQUIRE(body.text() == "web.service");
    REQUIRE(body.text() == "failed");
    REQUIRE(messages[1].kind == Message::Kind::reply);
    REQUIRE(messages[1].reply_to == 5);
    REQUIRE(reader.held() == 0);
  }
}

TEST_CASE("dbus message: a call that we make is one that we can read", "[guest][dbus]") {
  MessageReader reader;
  reader.add(encode_call(9, {"/a/b", "org.x.Y", "Do", Arguments().text("web.service").texts({"A=1", "B=22"}).number(4)}));
  const auto message = reader.next();
  REQUIRE(message.has_value());
  REQUIRE(message->has_value());
  REQUIRE((*message)->serial == 9);
  REQUIRE((*message)->path == "/a/b");
  REQUIRE((*message)->interface == "org.x.Y");
  REQUIRE((*message)->member == "Do");
  REQUIRE((*message)->signature == "sasu");
  auto body = (*message)->reader();
  REQUIRE(body.text() == "web.service");
  std::vector<std::string> texts;
  body.each([&](BodyReader& each) { texts.emplace_back(each.text()); });
  REQUIRE(texts == std::vector<std::string>{"A=1", "B=22"});
  REQUIRE(body.number() == 4);
  REQUIRE_FALSE(body.failed());
}

TEST_CASE("dbus message: what is none, or too large, ends it", "[guest][dbus]") {
  std::string bytes = job_removed();
  SECTION("big-endian") { bytes[0] = 'B'; }
  SECTION("of another version") { bytes[3] = 2; }
  SECTION("a body of a gigabyte") { bytes[7] = 0x40; }
  SECTION("header fields of a gigabyte") { bytes[15] = 0x40; }
  SECTION("a header field of a broken type") { bytes[17] = 2; }
  MessageReader reader;
  reader.add(bytes);
  REQUIRE(reader.next().has_error());
}

}  // namespace vigil::guest::dbus
