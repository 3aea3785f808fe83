#include "guest/upgrade/upgrade.hpp"

#include "guest/config/build_identity.hpp"
#include "guest/log/log.hpp"
#include "guest/upgrade/codec.hpp"
#include "guest/upgrade/memory_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace vigil::guest::upgrade {

using namespace std::chrono_literals;

namespace {

constexpr auto patience = 5s, trial_limit = 5s;
constexpr auto look_again = 100ms;

Result<void> leave_open(const std::vector<int>& descriptors, OverExec how) {
  for (const int fd : descriptors) TRY_VOID(set_over_exec(fd, how));
  return {};
}

}  // namespace

void Upgrade::begin(std::uint64_t request, const std::string& path, const std::string& sha256, Refused refused) {
  if (refused_) return refused(Error(Errc::conflict, "an upgrade is under way already"));
  refused_ = std::move(refused);
  request_ = request;
  auto program = take_program(path, sha256);
  if (!program) return refuse(program.error());
  program_ = std::move(*program);
  when_possible([this](KeptAgent kept) { try_it(std::move(kept)); });
}

void Upgrade::when_possible(std::function<void(KeptAgent)> then) {
  const MonoUs now = tools_.loop.now_us();
  if (waiting_since_us_ == 0) waiting_since_us_ = now;
  auto kept = tools_.keep();
  if (kept) {
    waiting_since_us_ = 0;
    kept->request = request_;
    kept->from_build = config::build_id();
    kept->to_build = to_build_;
    return then(std::move(*kept));
  }
  if (kept.error().code() != Errc::conflict) return refuse(kept.error());
  const auto waited = std::chrono::microseconds(static_cast<std::int64_t>(now - waiting_since_us_));
  if (waited >= patience * tools_.scale) return refuse(kept.error());
  again_ = tools_.loop.after(look_again, [this, then = std::move(then)] { when_possible(then); });
}

void Upgrade::try_it(KeptAgent kept) {
  if (const auto put = put_state(state_, encode(kept).bytes); !put) return refuse(put.error());
  trial_.emplace(tools_.loop, tools_.launcher, tools_.reaper);
  trial_->start(program_.get(), state_.get(), trial_limit * tools_.scale, [this](const Result<std::string>& tried) {
    trial_.reset();
    if (!tried) return refuse(tried.error());
    to_build_ = *tried;
    when_possible([this](KeptAgent last) { execute(std::move(last)); });
  });
}

/// Returns only when there is no next life.
void Upgrade::execute(KeptAgent kept) {
  auto encoded = encode(kept);
  UniqueFd own(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  if (!own) return refuse(Error::from_errno("/proc/self/exe", errno));
  if (const auto put = put_state(state_, encoded.bytes); !put) return refuse(put.error());
  encoded.descriptors.push_back(state_.get());
  encoded.descriptors.push_back(own.get());
  log::info("agent.replaced", {{"from", kept.from_build}, {"to", kept.to_build}});
  Result<void> left = leave_open(encoded.descriptors, OverExec::open);
  if (left) {
    const std::string path = "/proc/self/fd/" + std::to_string(program_.get()), state = std::to_string(state_.get()),
                      back = std::to_string(own.get());
    const char* const argv[] = {"vigil-guest", "resume", state.c_str(), back.c_str(), "none", nullptr};
    ::execve(path.c_str(), const_cast<char* const*>(argv), environ);
    left = Error::from_errno("execute the new agent", errno);
  }
  const Error error = left.error();
  for (const int fd : encoded.descriptors) (void)set_over_exec(fd, OverExec::closed);
  refuse(error);
}

void Upgrade::refuse(const Error& error) {
  log::warning("agent.not_replaced", {{"err", error.message()}});
  again_.cancel();
  program_.reset();
  state_.reset();
  waiting_since_us_ = 0;
  to_build_.clear();
  if (const auto refused = std::exchange(refused_, nullptr)) refused(error);
}

}  // namespace vigil::guest::upgrade
