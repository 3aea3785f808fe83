#include "guest/systemd/last_words.hpp"

#include "guest/log/log.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <csignal>
#include <cstring>
#include <string_view>
#include <utility>

namespace vigil::guest::systemd {
namespace {

constexpr char synchronize_call[] = "{\"method\":\"io.systemd.Journal.Synchronize\",\"parameters\":{}}";
constexpr std::string_view synchronize{synchronize_call, sizeof synchronize_call};   // a varlink message ends with its NUL
constexpr const char* most_lines = "200";

UniqueFd ask_journal_to_synchronize(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return {};
  std::memcpy(address.sun_path, path.c_str(), path.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
  if (::send(fd.get(), synchronize.data(), synchronize.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(synchronize.size())) return {};
  return fd;
}

}  // namespace

void LastWords::ask(const std::string& unit, const std::string& invocation, Done done) {
  if (waiting_.size() >= max_waiting) {
    loop_.post([done = std::move(done)] { done({}); });
    return;
  }
  auto question = std::make_shared<Question>();
  question->unit = unit;
  question->invocation = invocation;
  question->done = std::move(done);
  if (running_.size() < max_running)
    begin(question);
  else
    waiting_.push_back(std::move(question));
}

void LastWords::begin(const std::shared_ptr<Question>& question) {
  running_.push_back(question);
  question->deadline = loop_.after(patience_, [this, question] {
    log::warning("journal.too_slow", {{"unit", question->unit}});
    if (question->child > 0) ::kill(question->child, SIGKILL);
    finish(question);
  });
  question->journal = ask_journal_to_synchronize(paths_.journal_socket);
  if (!question->journal) return read(question);
  question->answered =
      loop_.watch(question->journal.get(), EPOLLIN, [this, question](std::uint32_t) { read(question); });   // any answer, or its end
}

void LastWords::read(const std::shared_ptr<Question>& question) {
  question->answered.cancel();
  question->journal.reset();
  question->output = std::make_unique<process::OutputCapture>(loop_);
  process::LaunchPlan plan;
  plan.argv = {paths_.program, "--quiet", "--no-pager", "--output=cat", "--lines", most_lines, "_SYSTEMD_UNIT=" + question->unit};
  if (!question->invocation.empty()) plan.argv.push_back("_SYSTEMD_INVOCATION_ID=" + question->invocation);
  plan.stdout_fd = question->output->open();
  const auto launched = launcher_.launch(plan);
  question->output->launched();
  if (const auto* failure = std::get_if<process::LaunchFailure>(&launched)) {
    if (failure->pid > 0) reaper_.expect(failure->pid, [](const process::ProcessEnd&) {});
    log::warning("journal.not_read", {{"program", paths_.program}, {"err", std::strerror(failure->error)}});
    return finish(question);
  }
  question->child = std::get<process::Launched>(launched).pid;
  reaper_.expect(question->child, [this, question](const process::ProcessEnd&) {
    question->child = 0;
    if (question->output) question->output->drain();
    finish(question);
  });
}

void LastWords::finish(const std::shared_ptr<Question>& question) {
  const Done done = std::exchange(question->done, nullptr);
  if (!done) return;   // its deadline has passed, and now its child is dead, too
  question->answered.cancel();
  question->deadline.cancel();
  question->journal.reset();
  const std::string words = question->output ? question->output->tail().text() : std::string();
  question->output.reset();
  running_.remove(question);
  if (!waiting_.empty()) {
    auto next = std::move(waiting_.front());
    waiting_.pop_front();
    begin(next);
  }
  done(words);
}

}  // namespace vigil::guest::systemd
