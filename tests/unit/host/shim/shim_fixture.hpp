// A run directory, an event loop, and a real vigil-shim on a real child.
#pragma once

#include "host/async/deadline.hpp"
#include "host/shim/shim_client.hpp"
#include "tests/unit/host/result_text.hpp"
#include "tests/unit/host/unix_client.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <catch2/catch_test_macros.hpp>

#include <poll.h>
#include <sys/syscall.h>

#include <filesystem>
#include <functional>

namespace vigil::test {

namespace asio = boost::asio;

/// Runs one coroutine to its end on a loop of its own.
template <class T>
T run(asio::io_context& io, std::function<asio::awaitable<T>()> story) {
  auto outcome = asio::co_spawn(io, std::move(story), asio::use_future);
  const auto is_done = [&outcome] { return outcome.wait_for(std::chrono::seconds(0)) == std::future_status::ready; };
  REQUIRE(pump_until(io, is_done, std::chrono::seconds(60)));   // other coroutines may go on, such as a connection's reader
  return outcome.get();
}

/// What one client saw, from its attach to Ended.
struct Seen {
  std::string console;
  std::uint64_t lost = 0;
  std::vector<shim::ShimEvent> events;           // without console bytes
  Result<shim::ShimEvent> last = Error(Errc::internal, "nothing");

  template <class T>
  const T* find() const {
    for (const auto& event : events)
      if (const auto* found = std::get_if<T>(&event)) return found;
    return nullptr;
  }
};

inline bool note(Seen& seen, const shim::ShimEvent& event) {
  if (const auto* bytes = std::get_if<shim::ConsoleBytes>(&event)) {
    CHECK(bytes->bytes.size() > 0);
    seen.console += bytes->bytes;
    return false;
  }
  if (const auto* lost = std::get_if<shim::ConsoleLost>(&event)) seen.lost += lost->bytes;
  seen.events.push_back(event);
  return std::holds_alternative<shim::Ended>(event);
}

/// Reads until `enough` holds or the stream ends.
inline asio::awaitable<void> read_until(shim::ShimConnection& connection, Seen& seen, std::function<bool()> enough) {
  while (!enough()) {
    auto next = connection.next();
    const std::string what = "shim event";
    seen.last = co_await async::with_deadline(std::move(next), std::chrono::seconds(30), what);
    if (!seen.last || note(seen, *seen.last)) co_return;
  }
}

inline bool never() { return false; }

class ShimFixture {
public:
  ShimFixture() {
    std::filesystem::create_directory(run_dir());
    std::filesystem::create_directory(log_dir());
  }

  std::filesystem::path run_dir() const { return directory.path() / "run"; }
  std::filesystem::path log_dir() const { return directory.path() / "log"; }
  std::string socket() const { return shim::shim_socket_path(run_dir().string()); }

  /// /bin/sh as VMM.
  shim::ShimSpec spec(const std::string& script) const {
    shim::ShimSpec spec;
    spec.instance = InstanceId("vm-0123456789");
    spec.run = RunNumber(1);
    spec.run_dir = run_dir().string();
    spec.log_dir = log_dir().string();
    spec.plan.argv = {"/bin/sh", "-c", script};
    return spec;
  }

  Result<shim::ProcessIdentity> spawn(const shim::ShimSpec& spec) {
    return run<Result<shim::ProcessIdentity>>(io, [spec] { return shim::spawn_shim(SHIM_PROGRAM, spec); });
  }

  Result<std::unique_ptr<shim::ShimConnection>> attach(std::uint64_t offset = 0) {
    using Outcome = Result<std::unique_ptr<shim::ShimConnection>>;
    return run<Outcome>(io, [path = socket(), offset] { return shim::ShimConnection::attach(path, offset); });
  }

  void read(shim::ShimConnection& connection, Seen& seen, std::function<bool()> enough = never) {
    run<void>(io, [&connection, &seen, enough] { return read_until(connection, seen, enough); });
  }

  /// From start to Ended.
  Seen run_to_end(const shim::ShimSpec& spec) {
    Seen seen;
    const auto born = spawn(spec);
    REQUIRE(born);
    const auto connection = attach();
    REQUIRE(connection);
    read(**connection, seen);
    return seen;
  }

  Result<shim::ExitRecord> record() const { return shim::read_exit_record(shim::exit_record_path(log_dir().string())); }

  TemporaryDirectory directory;
  asio::io_context io{1};
};

/// Waits for the end of a process that is not our child.
inline bool ends(std::int64_t pid) {
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) return true;
  pollfd waited{pidfd.get(), POLLIN, 0};
  return ::poll(&waited, 1, 20'000) == 1;
}

}  // namespace vigil::test
