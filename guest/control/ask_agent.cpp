#include "guest/control/ask_agent.hpp"

#include "guest/control/control_message.hpp"
#include "shared/base/unique_fd.hpp"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

namespace vigil::guest::control {
namespace {

constexpr std::size_t longest_answer = 4 << 20;
constexpr time_t patience_s = 10;

Error unreachable(const std::string& path, int error) {
  return Error(
      Errc::unavailable,
      "cannot reach the agent at " + path + ": " + std::strerror(error) +
          (error == EACCES ? "; only root may ask" : "; it answers in a VM of Vigil, and in `vigil-guest run` below its --runtime-dir"));
}

Result<UniqueFd> connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return Error(Errc::invalid, "the socket's path is longer than 107 bytes: " + path);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return Error::from_errno("socket", errno);
  const timeval patience{patience_s, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return unreachable(path, errno);
  return fd;
}

}  // namespace

Result<std::string> ask_agent(const std::string& socket_path, const std::string& op, const std::string& args_json) {
  TRY(fd, connect_to(socket_path));
  const std::string question = encode_question(op, args_json);
  if (::send(fd.get(), question.data(), question.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(question.size()))
    return unreachable(socket_path, errno);
  std::string answer;
  char block[16 * 1024];
  while (!answer.ends_with('\n') && answer.size() < longest_answer) {
    const ssize_t length = ::recv(fd.get(), block, sizeof block, 0);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0)
      return Error(Errc::unavailable, std::string("the agent does not answer: ") + std::strerror(errno == EAGAIN ? ETIMEDOUT : errno));
    if (length == 0) return Error(Errc::unavailable, "the agent closed the connection: only root may ask");
    answer.append(block, static_cast<std::size_t>(length));
  }
  return parse_answer(answer);
}

}  // namespace vigil::guest::control
