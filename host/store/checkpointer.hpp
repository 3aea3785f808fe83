// Takes the write-ahead log into the store's file on a thread of its own: that writes and syncs the file, which lasts as long as the disk pleases, and the thread that
// commits has everybody waiting behind it.
//
// Shape:  committed() after each commit. From `begin_pages` on a pass is made beside the commits; what they have added meanwhile goes with the next pass, and when
//         that is little the rest of it is done by committed() itself, for the log begins anew only when nothing of it is left. It then grows no further.
// Errors: none are told. A pass that fails (a full disk) is tried again later; the log grows until a commit fails, which says why.
// Thread: committed() and the destructor belong to the thread of the database that commits.
#pragma once

#include "host/store/database.hpp"

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace vigil::store {

class Checkpointer {
public:
  /// `committing` makes no checkpoints of its own from now on and lives longer than this.
  static Result<std::unique_ptr<Checkpointer>> start(const std::string& path, Database& committing);
  ~Checkpointer();
  Checkpointer(const Checkpointer&) = delete;
  Checkpointer& operator=(const Checkpointer&) = delete;

  void committed();

  static constexpr std::uint64_t begin_pages = 2000;  // of 4 KiB

private:
  enum class Turn { nobody, thread, committer, end };

  Checkpointer(Database& committing, Database own) : committing_(committing), own_(std::move(own)) {}
  void serve();
  /// True: so little is left that the one who commits can do it in passing.
  bool pass();

  Database& committing_;
  Database own_;  // the thread's
  std::mutex mutex_;
  std::condition_variable changed_;
  Turn turn_ = Turn::nobody;
  std::thread thread_;
};

}  // namespace vigil::store
