#include "guest/control/ask_agent.hpp"
#include "guest/control/control_message.hpp"
#include "guest/control/control_socket.hpp"
#include "tests/unit/guest/process/scene.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

namespace vigil::guest::control {

namespace {

constexpr int refused_code = 3;

UniqueFd connect_to_socket(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  REQUIRE(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

/// What a client in a process of its own hears: `text` compared there, its exit code here.
int asked_by_a_child(EventLoop& loop, const std::string& path, const std::string& op, const std::string& expected, uid_t uid = geteuid()) {
  const pid_t child = fork();
  if (child == 0) {
    if (uid != geteuid() && setresuid(uid, uid, uid) != 0) _exit(9);
    const auto answer = ask_agent(path, op, R"({"name":"web"})");
    _exit(!answer ? refused_code : *answer == expected ? 0 : 1);
  }
  int status = 0;
  REQUIRE(run_until(loop, [&] { return waitpid(child, &status, WNOHANG) == child; }));
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

struct ControlScene {
  TestDirectory directory;
  EventLoop loop;
  std::string path = directory.path() + "/agent.sock";
  std::vector<std::string> asked;
  ControlSocket control{loop, path, [this](const protocol::Request& request) -> Result<std::string> {
                          asked.push_back(request.op + request.args);
                          if (request.op == "service") return Error(Errc::not_found, "no service web");
                          return std::string(R"({"a":1})");
                        }};
};

}  // namespace

TEST_CASE("control: questions are checked, answers keep the agent's words", "[guest][control]") {
  const auto question = parse_question(R"({"op":"service","args":{"name":"web","action":"stop"}})");
  REQUIRE(question.has_value());
  CHECK(question->op == "service");
  CHECK(question->args == R"({"action":"stop","name":"web"})");
  CHECK(parse_question(R"({"op":"diagnose"})")->args == "{}");
  CHECK(parse_question(R"({"op":"shutdown"})").error().code() == Errc::denied);
  for (const char* line : {"", "[]", "{", R"({"op":7})", R"({"args":{}})"}) CHECK(parse_question(line).has_error());
  CHECK(parse_question(std::string(max_line_bytes + 1, ' ')).has_error());

  CHECK(*parse_answer(encode_answer(std::string(R"({"x":[1,2]})"))) == R"({"x":[1,2]})");
  const auto refused = parse_answer(encode_answer(Error(Errc::not_found, "no service \"web\"\n")));
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().message() == "no service \"web\"\n");
  CHECK(encode_question("logs", R"({"name":"web"})") == "{\"args\":{\"name\":\"web\"},\"op\":\"logs\"}\n");
}

TEST_CASE("control: root asks and is answered; a refusal is the agent's", "[guest][control]") {
  ControlScene scene;
  REQUIRE(scene.control.is_listening());
  struct stat status{};
  REQUIRE(::stat(scene.path.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  CHECK(asked_by_a_child(scene.loop, scene.path, "diagnose", R"({"a":1})") == 0);
  CHECK(asked_by_a_child(scene.loop, scene.path, "service", "") == refused_code);
  CHECK(asked_by_a_child(scene.loop, scene.path, "shutdown", "") == refused_code);
  CHECK(scene.asked == std::vector<std::string>{R"(diagnose{"name":"web"})", R"(service{"name":"web"})"});
}

TEST_CASE("control: another user is refused, also where the file would let it in", "[guest][control]") {
  if (geteuid() != 0) SKIP("not root");
  ControlScene scene;
  chmod(scene.path.c_str(), 0666);
  CHECK(asked_by_a_child(scene.loop, scene.path, "diagnose", R"({"a":1})", 65534) == refused_code);
  CHECK(scene.asked.empty());
}

TEST_CASE("control: a line without end, too many connections and a client that leaves harm nobody", "[guest][control]") {
  ControlScene scene;
  const UniqueFd endless = connect_to_socket(scene.path);
  const std::string flood(64 * 1024, 'x');
  bool closed = false;
  REQUIRE(run_until(scene.loop, [&] {
    closed = send(endless.get(), flood.data(), flood.size(), MSG_NOSIGNAL) < 0 && errno == EPIPE;
    return closed;
  }));
  std::vector<UniqueFd> many;
  for (int i = 0; i < 16; ++i) many.push_back(connect_to_socket(scene.path));
  for (int turn = 0; turn < 20; ++turn) scene.loop.run_once(std::chrono::milliseconds(0));
  CHECK(asked_by_a_child(scene.loop, scene.path, "diagnose", R"({"a":1})") == refused_code);
  many.clear();
  for (int turn = 0; turn < 20; ++turn) scene.loop.run_once(std::chrono::milliseconds(0));
  CHECK(asked_by_a_child(scene.loop, scene.path, "diagnose", R"({"a":1})") == 0);
}

TEST_CASE("control: an agent that is not there is said with the path", "[guest][control]") {
  const auto answer = ask_agent("/nonexistent/agent.sock", "diagnose", "{}");
  REQUIRE_FALSE(answer.has_value());
  CHECK(answer.error().code() == Errc::unavailable);
  CHECK(answer.error().message().find("/nonexistent/agent.sock") != std::string::npos);
}

}  // namespace vigil::guest::control
