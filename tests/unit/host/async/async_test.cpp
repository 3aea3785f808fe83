#include "host/async/blocking.hpp"
#include "host/async/deadline.hpp"
#include "host/async/notification.hpp"
#include "host/async/read_some.hpp"
#include "host/async/task_group.hpp"
#include "host/async/unix_listener.hpp"
#include "tests/unit/host/unix_client.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <catch2/catch_test_macros.hpp>

#include <sys/stat.h>

#include <fstream>
#include <future>
#include <optional>
#include <thread>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using vigil::Errc;
using vigil::Error;
using vigil::Result;
using vigil::async::Notification;
using vigil::async::TaskGroup;

namespace {

asio::awaitable<void> wait_for_ever(bool* ended) {
    struct AtEnd {
        bool* ended;
        ~AtEnd() { *ended = true; }
    } at_end{ended};
    asio::steady_timer timer(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
    co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<void> throw_at_once() {
    throw std::runtime_error("broken");
    co_return;
}

asio::awaitable<Result<int>> answer_after(std::chrono::milliseconds delay) {
    asio::steady_timer timer(co_await asio::this_coro::executor, delay);
    co_await timer.async_wait(asio::use_awaitable);
    co_return 7;
}

asio::awaitable<Result<int>> fail_at_once() { co_return Error(Errc::denied, "no"); }

template <class T>
T run(asio::io_context& io, asio::awaitable<T> work) {
    std::optional<T> result;
    asio::co_spawn(io, std::move(work), [&](std::exception_ptr failure, T value) {
        REQUIRE(!failure);
        result = std::move(value);
    });
    io.restart();
    io.run();
    REQUIRE(result.has_value());
    return *result;
}

}  // namespace

TEST_CASE("task group: stop cancels every task and waits for its end", "[host][async]") {
    asio::io_context io;
    TaskGroup tasks(io.get_executor());
    bool first = false, second = false, stopped = false;
    tasks.spawn("first", [&first] { return wait_for_ever(&first); });
    tasks.spawn("second", [&second] { return wait_for_ever(&second); });
    io.poll();
    CHECK(tasks.size() == 2);
    asio::co_spawn(io, tasks.stop(), [&](std::exception_ptr) { stopped = first && second; });
    io.restart();
    io.run();
    CHECK(stopped);
    CHECK(tasks.size() == 0);
}

TEST_CASE("task group: a task that throws ends alone", "[host][async]") {
    asio::io_context io;
    TaskGroup tasks(io.get_executor());
    bool ended = false;
    tasks.spawn("waits", [&ended] { return wait_for_ever(&ended); });
    tasks.spawn("throws", [] { return throw_at_once(); });
    io.poll();
    CHECK(tasks.size() == 1);
    CHECK_FALSE(ended);
    asio::co_spawn(io, tasks.stop(), [](std::exception_ptr failure) { CHECK(failure == nullptr); });
    io.restart();
    io.run();
    CHECK(ended);
}

TEST_CASE("deadline: late work is a timeout that names it, a failure stays what it was", "[host][async]") {
    asio::io_context io;
    CHECK(*run(io, vigil::async::with_deadline(answer_after(1ms), 10s, "the answer")) == 7);
    const auto late = run(io, vigil::async::with_deadline(answer_after(1h), 5ms, "the answer"));
    REQUIRE(late.has_error());
    CHECK(late.error().code() == Errc::timeout);
    CHECK(late.error().message().find("the answer") == 0);
    const auto started = std::chrono::steady_clock::now();
    const auto failed = run(io, vigil::async::with_deadline(fail_at_once(), 60s, "the answer"));
    CHECK(failed.error().code() == Errc::denied);
    CHECK(std::chrono::steady_clock::now() - started < 30s);
}

TEST_CASE("notification: a wake-up before the wait is not lost", "[host][async]") {
    asio::io_context io;
    Notification notification(io.get_executor());
    notification.notify();
    CHECK(run(io, notification.wait_for(60s)));
    CHECK_FALSE(run(io, notification.wait_for(1ms)));
}

TEST_CASE("blocking work runs on another thread and comes back", "[host][async]") {
    asio::io_context io;
    asio::thread_pool pool(1);
    const auto here = std::this_thread::get_id();
    const std::function<bool()> work = [here] { return std::this_thread::get_id() != here; };
    CHECK(run(io, vigil::async::run_blocking<bool>(pool, work)));
}

TEST_CASE("blocking work that is cancelled ends as it would have, and its cancellation stays out of the pool", "[host][async]") {
    asio::io_context io;
    asio::thread_pool pool(2);
    TaskGroup tasks(io.get_executor());
    std::promise<void> works, may_end, passed;
    bool done = false;
    const std::function<bool()> work = [&] {
        works.set_value();
        may_end.get_future().wait();
        return true;
    };
    tasks.spawn("caller", [&]() -> asio::awaitable<void> { done = co_await vigil::async::run_blocking<bool>(pool, work); });
    io.poll();
    works.get_future().wait();
    tasks.cancel();
    asio::post(pool, [&] { passed.set_value(); });   // behind what the cancellation sent to the pool: there it ended the program (asio's "co_await", thrown after the work)
    passed.get_future().wait();
    may_end.set_value();
    io.restart();
    while (!done && io.run_one_for(30s) > 0) {}
    io.poll();
    pool.join();
    CHECK(done);
}

TEST_CASE("unix listener: mode, length, and what stands in its way", "[host][async]") {
    vigil::test::TemporaryDirectory directory;
    const auto path = (directory.path() / "s").string();
    auto first = vigil::async::listen_unix(path, 0600, 4);
    REQUIRE(first.has_value());
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);

    const auto second = vigil::async::listen_unix(path, 0600, 4);
    REQUIRE(second.has_error());
    CHECK(second.error().code() == Errc::conflict);

    first->reset();  // its owner died; the file stayed
    CHECK(vigil::async::listen_unix(path, 0600, 4).has_value());

    const auto file = (directory.path() / "f").string();
    std::ofstream(file) << "kept";
    CHECK(vigil::async::listen_unix(file, 0600, 4).error().code() == Errc::conflict);
    CHECK(std::filesystem::file_size(file) == 4);

    const auto too_long = vigil::async::listen_unix((directory.path() / std::string(120, 'x')).string(), 0600, 4);
    CHECK(too_long.error().code() == Errc::limit);
}

TEST_CASE("read_some: what comes, more than one buffer holds, the end, and a close meanwhile", "[host][async]") {
    using Socket = asio::local::stream_protocol::socket;
    asio::io_context io;
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    Socket reader(io, asio::local::stream_protocol(), ends[0]);
    vigil::UniqueFd writer(ends[1]);
    std::string received;
    std::optional<boost::system::error_code> ended;
    struct Reading {
        static asio::awaitable<void> all(Socket& from, std::string& into, std::optional<boost::system::error_code>& end) {
            for (;;) {
                auto got = co_await vigil::async::read_some(from);
                if (got.failure) {
                    end = got.failure;
                    co_return;
                }
                into += got.bytes;
            }
        }
    };
    asio::co_spawn(io, Reading::all(reader, received, ended), [](std::exception_ptr) {});
    io.poll();
    CHECK(received.empty());
    CHECK_FALSE(ended);
    const std::string much(100'000, 'x');
    REQUIRE(::send(writer.get(), "first ", 6, 0) == 6);
    io.restart();
    CHECK(vigil::test::pump_until(io, [&] { return received == "first "; }));
    REQUIRE(::send(writer.get(), much.data(), much.size(), 0) == static_cast<ssize_t>(much.size()));
    CHECK(vigil::test::pump_until(io, [&] { return received.size() == much.size() + 6; }));
    SECTION("the other side ends") {
        writer.reset();
        CHECK(vigil::test::pump_until(io, [&] { return ended.has_value(); }));
        CHECK(*ended == asio::error::eof);
    }
    SECTION("it is closed by ourselves") {
        reader.close();
        CHECK(vigil::test::pump_until(io, [&] { return ended.has_value(); }));
        CHECK(*ended == asio::error::operation_aborted);
    }
}
