#include "host/logs/byte_rate.hpp"
#include "host/logs/log_hub.hpp"
#include "tests/unit/host/logs/log_scene.hpp"

#include <fstream>

namespace vigil::logs {
namespace {

TEST_CASE("log view: services are told by time; one alone when it is asked for", "[host][logs]") {
    LogScene scene;
    LogSpool spool(scene.directory.path(), {});
    scene.write(spool, "b", 0, "1");
    scene.write(spool, "a", 0, "2");
    scene.write(spool, "b", 1, "3");
    CHECK(scene.text() == "123");
    LogQuery only_b;
    only_b.service = "b";
    CHECK(scene.text(only_b) == "13");
    LogQuery late;
    late.since_unix_us = 1'002'000;
    CHECK(scene.text(late) == "23");
}

TEST_CASE("log view: the last lines, however records are cut", "[host][logs]") {
    LogScene scene;
    LogSpool spool(scene.directory.path(), {});
    std::string all;
    for (int i = 0; i < 200; ++i) all += "line " + std::to_string(i) + "\n";
    for (std::uint64_t at = 0; at < all.size(); at += 7) scene.write(spool, "web", at, std::string_view(all).substr(at, 7));
    const auto tail = [&](std::uint64_t lines) {
        LogQuery query;
        query.tail = lines;
        return scene.text(query);
    };
    CHECK(tail(3) == "line 197\nline 198\nline 199\n");
    CHECK(tail(0).empty());
    CHECK(tail(1000) == all);
    scene.write(spool, "web", all.size(), "unfinished");
    CHECK(tail(2) == "line 199\nunfinished");
    scene.write(spool, "web", 0, "warning\n", LogStream::err);   // its lines are counted apart
    CHECK(tail(1) == "unfinishedwarning\n");
}

TEST_CASE("log view: goes on while logs grow, rotate and appear", "[host][logs]") {
    LogScene scene;
    LogLimits limits;
    limits.file_bytes = 400;
    LogSpool spool(scene.directory.path(), limits);
    LogView view(scene.directory.path(), {});
    CHECK(!view.next());
    std::string got;
    for (std::uint64_t i = 0; i < 100; ++i) {
        scene.write(spool, i % 10 == 9 ? "b" : "a", i % 10 == 9 ? i / 10 * 50 : (i - i / 10) * 50, std::string(49, 'x') + "\n");
        while (const auto record = view.next()) {
            CHECK(record->lost == 0);
            got += record->bytes;
        }
    }
    CHECK(got.size() == 5000);
}

TEST_CASE("log view: a reader that is too slow for rotation is told what it missed", "[host][logs]") {
    LogScene scene;
    LogLimits limits;
    limits.file_bytes = 400;
    limits.files = 2;
    LogSpool spool(scene.directory.path(), limits);
    LogView view(scene.directory.path(), {});
    scene.write(spool, "a", 0, "first");
    REQUIRE(view.next()->bytes == "first");
    for (std::uint64_t at = 5; at < 5005; at += 50) scene.write(spool, "a", at, std::string(50, 'x'));
    std::uint64_t got = 5, lost = 0;
    while (const auto record = view.next()) {
        got += record->bytes.size();
        lost += record->lost;
    }
    CHECK(lost > 0);
    CHECK(got + lost == 5005);
}

TEST_CASE("log view: damage is told in its place, and the next file is read", "[host][logs]") {
    LogScene scene;
    LogLimits limits;
    limits.file_bytes = 150;
    LogSpool spool(scene.directory.path(), limits);
    for (std::uint64_t at = 0; at < 200; at += 50) scene.write(spool, "a", at, std::string(50, static_cast<char>('a' + at / 50)));
    {
        std::fstream first(scene.directory.path() / "a.log.1", std::ios::in | std::ios::out | std::ios::binary);
        first.seekp(30);
        first << "garbage in the middle";
    }
    const auto text = scene.text();
    CHECK(text.find("[vigil: a.log, file 1 at byte") != std::string::npos);
    CHECK(text.ends_with(std::string(50, 'd')));
}

TEST_CASE("log view: files that are no logs are left alone", "[host][logs]") {
    LogScene scene;
    for (const auto* name : {"a.log.damaged", ".log", "..log", "A.log", "a.log.", "a.log.1x", "notes.txt"}) std::ofstream(scene.directory.path() / name) << "x";
    CHECK(list_logs(scene.directory.path()).empty());
}

TEST_CASE("log hub: listeners hear of their run alone, and of its end", "[host][logs]") {
    LogHub hub;
    const LogHub::Run ours{InstanceId("vm-0123456789"), RunNumber(1)}, other{InstanceId("vm-0123456789"), RunNumber(2)};
    int woken = 0;
    auto token = hub.listen(ours, [&] { ++woken; });
    {
        const LogHub::Open open(hub, ours), another(hub, other);
        open.notify();
        another.notify();
        CHECK(woken == 1);
        CHECK(hub.is_open(ours));
    }
    CHECK(woken == 2);
    CHECK(!hub.is_open(ours));
    token.reset();
    hub.notify(ours);
    CHECK(woken == 2);
}

TEST_CASE("byte rate: pauses are as long as what was taken too much needs", "[host][logs]") {
    ByteRate rate(1000, 0);
    CHECK(rate.take(999, 0).count() == 0);
    CHECK(rate.take(501, 0).count() == 1'000'000);      // 500 over: half a second for them, half to be half full again
    CHECK(rate.take(1, 1'000'000).count() == 0);
    CHECK(rate.take(999, 60'000'000).count() == 0);     // never more than a second's worth at once
    CHECK(rate.take(100, 60'000'000).count() > 0);
}

}  // namespace
}  // namespace vigil::logs
