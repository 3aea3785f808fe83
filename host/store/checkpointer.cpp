#include "host/store/checkpointer.hpp"

#include <csignal>
#include <system_error>
#include <utility>

namespace vigil::store {

namespace {

constexpr std::uint64_t little_pages = 250;
constexpr int max_passes =
    8;   // commits that come faster than the disk takes them are not caught up with: the rest is done in passing, however much it is

/// Signals are for the thread that waits for them.
class SignalsBlocked {
public:
  SignalsBlocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

private:
  sigset_t before_{};
};

/// Pages of the log that are not yet in the file.
Result<std::uint64_t> checkpoint(Database& database) {
  TRY(pass, database.prepare("PRAGMA wal_checkpoint(PASSIVE)"));
  TRY(has_row, pass.step());
  if (!has_row) return Error(Errc::io, "a checkpoint without an answer");
  const auto in_log = pass.integer(1), in_file = pass.integer(2);
  while (true) {
    TRY(more, pass.step());
    if (!more) return in_log > in_file ? in_log - in_file : 0;
  }
}

}  // namespace

Result<std::unique_ptr<Checkpointer>> Checkpointer::start(const std::string& path, Database& committing) {
  TRY(own, Database::open(path, OpenMode::existing));
  TRY_VOID(own.run("PRAGMA synchronous=FULL"));
  std::unique_ptr<Checkpointer> made(new Checkpointer(committing, std::move(own)));
  committing.count_log_pages();
  const SignalsBlocked quiet;
  try {
    made->thread_ = std::thread([checkpointer = made.get()] { checkpointer->serve(); });
  } catch (const std::system_error& failure) {
    return Error(Errc::limit, std::string("no thread for the checkpoints of ") + path + ": " + failure.what());
  }
  return made;
}

Checkpointer::~Checkpointer() {
  {
    const std::lock_guard lock(mutex_);
    turn_ = Turn::end;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Checkpointer::committed() {
  if (committing_.log_pages() < begin_pages) return;
  {
    const std::lock_guard lock(mutex_);
    if (turn_ == Turn::thread) return;
    if (std::exchange(turn_, Turn::thread) == Turn::committer) {
      turn_ = Turn::nobody;
      (void)checkpoint(committing_);   // what stays is there for the next pass
      return;
    }
  }
  changed_.notify_one();
}

void Checkpointer::serve() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return turn_ == Turn::thread || turn_ == Turn::end; });
    if (turn_ == Turn::end) return;
    lock.unlock();
    const bool is_caught_up = pass();
    lock.lock();
    if (turn_ == Turn::thread) turn_ = is_caught_up ? Turn::committer : Turn::nobody;
  }
}

bool Checkpointer::pass() {
  for (int i = 0; i < max_passes; ++i) {
    const auto left = checkpoint(own_);
    if (!left) return false;
    if (*left <= little_pages) return true;
  }
  return true;
}

}  // namespace vigil::store
