// The routes that clients of sandboxes speak.
#include "shared/streams/chunk.hpp"
#include "shared/streams/control.hpp"
#include "shared/streams/opening.hpp"
#include "tests/unit/host/api/api_scene.hpp"

#include <catch2/catch_test_macros.hpp>

#include <sys/socket.h>

namespace vigil::api::test {

using streams::Channel;

namespace {

/// A guest that has said everything already.
streams::GuestStream said(std::string facts, const std::string& chunks) {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
  UniqueFd guest(ends[0]);  // its end closes: nothing comes after it
  return {UniqueFd(ends[1]), std::move(facts), chunks};
}

std::string with_end(std::string chunks, const streams::Control& last) {
  streams::append_chunks(chunks, Channel::control, streams::encode(last));
  streams::append_end(chunks, Channel::control);
  return chunks;
}

http::Answer answer_of(const http::Router& router, http::Method method, const std::string& path, const std::string& body = "") {
  http::Request request;
  request.method = method;
  request.path = path;
  request.body = body;
  std::optional<http::Answer> answered;
  {
    const http::Reply reply([&](http::Answer answer) { answered = std::move(answer); });
    router.dispatch(std::move(request), reply);
  }
  REQUIRE(answered.has_value());
  return std::move(*answered);
}

std::vector<http::StreamEvent> events_of(http::Answer answer) {
  auto* const source = std::get_if<std::unique_ptr<http::EventSource>>(&answer);
  REQUIRE(source != nullptr);
  auto batch = (*source)->next();
  REQUIRE(batch.has_value());
  CHECK(batch->ended);
  return batch->events;
}

}  // namespace

TEST_CASE("sandbox routes: a new instance is started", "[host][api]") {
  Fixture fixture;
  fixture.ask(http::Method::post, "/instances", R"({"image":"nothing","name":"x"})");
  CHECK(fixture.control.done == std::vector<std::string>{"create x by uid 1000"});
  CHECK(fixture.ask(http::Method::post, "/instances", "{").status == 400);
}

TEST_CASE("sandbox routes: a program's output comes as events, its end last", "[host][api]") {
  Fixture fixture;
  fixture.add_instance();
  std::string chunks;
  streams::append_chunks(chunks, Channel::out, "hello\n");
  streams::append_chunks(chunks, Channel::err, "\xff\xfe");
  const auto whole = with_end(chunks, streams::Exit{protocol::ExitCode{7}});
  fixture.control.guest = [&](const std::string&) { return Result<streams::GuestStream>(said("{}", whole)); };
  const auto events =
      events_of(answer_of(fixture.router, http::Method::post, "/instances/demo/run", R"({"command":"echo hello; exit 7","cwd":"/srv"})"));
  REQUIRE(events.size() == 3);
  CHECK(std::pair(events[0].type, events[0].data) == std::pair<std::string, std::string>("stdout", R"({"text":"hello\n"})"));
  CHECK(std::pair(events[1].type, events[1].data) == std::pair<std::string, std::string>("stderr", R"({"data_b64":"//4="})"));
  CHECK(std::pair(events[2].type, events[2].data) == std::pair<std::string, std::string>("exit", R"({"code":7})"));
  const auto opening = streams::decode_opening(fixture.control.done.back().substr(7));
  REQUIRE(opening.has_value());
  CHECK(std::get<streams::ExecOpening>(*opening).argv == std::vector<std::string>{"/bin/sh", "-c", "echo hello; exit 7"});
  CHECK(std::get<streams::ExecOpening>(*opening).cwd == "/srv");
  answer_of(fixture.router, http::Method::post, "/instances/demo/run", R"({"command":["ls","-l"]})");
  CHECK(std::get<streams::ExecOpening>(*streams::decode_opening(fixture.control.done.back().substr(7))).argv ==
        std::vector<std::string>{"ls", "-l"});
}

TEST_CASE("sandbox routes: a program of which the stream breaks ends with an error; wrong orders do not reach the guest", "[host][api]") {
  Fixture fixture;
  fixture.add_instance();
  const auto asked = fixture.control.done.size();
  for (const auto* wrong : {"", "{}", R"({"command":[]})", R"({"command":5})", R"({"command":"ls","detach":true})", "[]"})
    CHECK(fixture.ask(http::Method::post, "/instances/demo/run", wrong).status == 400);
  CHECK(fixture.control.done.size() == asked);
  CHECK(fixture.ask(http::Method::post, "/instances/demo/run", R"({"command":"ls"})").status == 503);
  CHECK(fixture.ask(http::Method::post, "/instances/other/run", R"({"command":"ls"})").status == 404);
  fixture.control.guest = [&](const std::string&) {
    return Result<streams::GuestStream>(said("{}", std::string("\x09\x01\x00\x00\x00x", 6)));
  };
  const auto events = events_of(answer_of(fixture.router, http::Method::post, "/instances/demo/run", R"({"command":"ls"})"));
  REQUIRE(events.size() == 1);
  CHECK(events[0].type == "error");
}

TEST_CASE("sandbox routes: a file is its bytes, a directory its entries, and a problem of the guest's is told or breaks it off",
          "[host][api]") {
  Fixture fixture;
  fixture.add_instance();
  std::string content;
  streams::append_chunks(content, Channel::data, "content");
  const auto whole = with_end(content, streams::Done{7});
  const auto broken = with_end(content, streams::Problem{Errc::io, "a bad block"});
  fixture.control.guest = [&](const std::string& text) -> Result<streams::GuestStream> {
    const auto opening = streams::decode_opening(text);
    if (std::holds_alternative<streams::DirListOpening>(*opening)) return said("{}", whole);
    const auto& path = std::get<streams::FileReadOpening>(*opening).path;
    if (path == "/srv") return Error(Errc::invalid, "/srv is a directory");
    if (path == "/none") return Error(Errc::not_found, "/none: No such file or directory");
    return said(R"({"size":7})", path == "/bad" ? broken : whole);
  };
  const auto file = answer_of(fixture.router, http::Method::get, "/instances/demo/filesystem/etc/motd");
  const auto* const bytes = std::get_if<http::ByteStream>(&file);
  REQUIRE(bytes != nullptr);
  CHECK(bytes->length == 7);
  CHECK(bytes->content_type == "application/octet-stream");
  const auto part = bytes->source->next();
  REQUIRE(part.has_value());
  CHECK(std::pair(part->bytes, part->ended) == std::pair<std::string, bool>("content", true));
  CHECK(fixture.control.done.back().find("/etc/motd") != std::string::npos);

  const auto directory = answer_of(fixture.router, http::Method::get, "/instances/demo/filesystem/srv/");
  REQUIRE(std::holds_alternative<http::ByteStream>(directory));
  CHECK(std::get<http::ByteStream>(directory).content_type == "application/x-ndjson");
  CHECK(std::get<http::ByteStream>(directory).length == std::nullopt);
  CHECK(fixture.ask(http::Method::get, "/instances/demo/filesystem/none").status == 404);
  const auto bad = answer_of(fixture.router, http::Method::get, "/instances/demo/filesystem/bad");
  CHECK(std::get<http::ByteStream>(bad).source->next().error().message() == "a bad block");
}

TEST_CASE("sandbox routes: a port's health is what the VM has reported", "[host][api]") {
  Fixture fixture;
  fixture.add_instance();
  const auto asked = fixture.control.done.size();
  const auto health = [&](const std::string& port) { return fixture.ask(http::Method::get, "/instances/demo/ports/" + port + "/health"); };
  const auto stopped = health("8080");
  CHECK(stopped.status == 503);
  CHECK(nlohmann::json::parse(stopped.body)["code"] == "port.vm_stopped");
  CHECK(health("0").status == 400);
  CHECK(health("a_b c").status == 400);
  auto& run = fixture.control.looks.front().state.run.emplace();
  auto& web = run.services[ServiceName("web")].report;
  web.name = ServiceName("web");
  web.state = protocol::ServiceState::starting;
  web.probes.push_back({"http:8080", false, std::nullopt});
  run.listeners.push_back({"", "sshd", 12, "127.0.0.1", 22});
  run.all_services_known = true;
  CHECK(nlohmann::json::parse(health("web").body)["code"] == "port.not_ready");
  CHECK(health("22").status == 200);
  web.state = protocol::ServiceState::ready;
  const auto ready = nlohmann::json::parse(health("web").body);
  CHECK(std::tuple(ready["healthy"] == true, ready["port"] == 8080, ready["service"] == "web", ready["code"].is_null()) ==
        std::tuple(true, true, true, true));
  CHECK(health("8080").status == 200);
  CHECK(health("ghost").status == 503);
  CHECK(fixture.control.done.size() == asked);
}

}  // namespace vigil::api::test
