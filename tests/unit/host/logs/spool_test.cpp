#include "tests/unit/host/logs/log_scene.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <fstream>

namespace vigil::logs {
namespace {

namespace fs = std::filesystem;

TEST_CASE("log spool: bytes come back as they were, with stream, offset and time", "[host][logs]") {
    LogScene scene;
    LogSpool spool(scene.directory.path(), {});
    spool.use_boot("b-1");
    const std::string odd("a\0b\n1 o 0 3\n\xff", 13);
    CHECK(scene.write(spool, "web", 0, odd).bytes == 0);
    scene.write(spool, "web", 0, "oops", LogStream::err);
    scene.write(spool, "web", odd.size(), "more");
    const auto records = scene.read();
    REQUIRE(records.size() == 3);
    CHECK(records[0].bytes == odd);
    CHECK(records[0].at_unix_us == 1'001'000);
    CHECK(records[1].stream == LogStream::err);
    CHECK(records[2].offset == odd.size());
    for (const auto& record : records) CHECK(record.lost == 0);
}

TEST_CASE("log spool: what comes again is written once, what is missing is counted with its reason", "[host][logs]") {
    LogScene scene;
    LogSpool spool(scene.directory.path(), {});
    scene.write(spool, "web", 0, "0123456789");
    CHECK(scene.write(spool, "web", 4, "456789abc").bytes == 0);
    CHECK(scene.write(spool, "web", 2, "2345").bytes == 0);
    const auto lost = scene.write(spool, "web", 113, "end", LogStream::out, "rate");
    CHECK(lost.bytes == 100);
    CHECK(lost.why == "rate");
    CHECK(scene.text() == "0123456789abcend");
    CHECK(scene.read().back().lost == 100);
    CHECK(scene.read().back().why == "rate");
}

TEST_CASE("log spool: another daemon goes on where the files end, and cuts off what was being written", "[host][logs]") {
    LogScene scene;
    {
        LogSpool spool(scene.directory.path(), {});
        spool.use_boot("b-1");
        scene.write(spool, "web", 0, "first ");
        scene.write(spool, "web", 0, "error", LogStream::err);
        scene.write(spool, "web", 16, "third ");
    }
    {
        std::ofstream torn(scene.directory.path() / "web.log", std::ios::app | std::ios::binary);
        torn << "1005000 o 22 100\nonly a part";
    }
    LogSpool again(scene.directory.path(), {});
    CHECK(again.boot() == "b-1");
    CHECK(again.positions().at("web").out == 22);
    CHECK(again.positions().at("web").err == 5);
    again.use_boot("b-1");
    scene.write(again, "web", 22, "fourth");
    CHECK(scene.text() == "first errorthird fourth");
    CHECK(scene.read().back().lost == 0);
}

TEST_CASE("log spool: of another boot the offsets begin anew", "[host][logs]") {
    LogScene scene;
    LogSpool spool(scene.directory.path(), {});
    spool.use_boot("b-1");
    scene.write(spool, "web", 0, "one boot\n");
    spool.use_boot("b-2");
    CHECK(spool.positions().at("web").out == 0);
    CHECK(scene.write(spool, "web", 0, "another\n").bytes == 0);
    CHECK(scene.text() == "one boot\nanother\n");
    CHECK(LogSpool(scene.directory.path(), {}).boot() == "b-2");
}

TEST_CASE("log spool: a full file is set aside, the oldest goes, and what it held is told as rotated", "[host][logs]") {
    LogScene scene;
    LogLimits limits;
    limits.file_bytes = 1000;
    limits.files = 3;
    LogSpool spool(scene.directory.path(), limits);
    std::uint64_t at = 0;
    for (int i = 0; i < 100; ++i) {
        const std::string line(99, static_cast<char>('a' + i % 26));
        CHECK(scene.write(spool, "web", at, line).bytes == 0);
        at += line.size();
    }
    std::uint64_t files = 0, size = 0;
    for (const auto& each : fs::directory_iterator(scene.directory.path())) {
        ++files;
        size += each.file_size();
        CHECK(each.file_size() <= limits.file_bytes);
    }
    CHECK(files == 3);
    CHECK(spool.bytes() == size);
    const auto records = scene.read();
    CHECK(records.front().why == "rotated");
    CHECK(records.front().lost == records.front().offset);
    CHECK(records.back().offset + 99 == at);
    for (std::size_t i = 1; i < records.size(); ++i) CHECK(records[i].lost == 0);
    LogSpool again(scene.directory.path(), limits);
    CHECK(again.positions().at("web").out == at);
    CHECK(again.bytes() == size);
}

TEST_CASE("log spool: all services of a run have one bound; whoever wrote most pays", "[host][logs]") {
    LogScene scene;
    LogLimits limits;
    limits.file_bytes = 1000;
    limits.files = 10;
    limits.run_bytes = 6000;
    limits.services = 3;
    LogSpool spool(scene.directory.path(), limits);
    scene.write(spool, "quiet", 0, "I was here");
    for (std::uint64_t at = 0; at < 50'000; at += 100) scene.write(spool, "loud", at, std::string(100, 'x'));
    CHECK(spool.bytes() <= limits.run_bytes);
    LogQuery quiet;
    quiet.service = "quiet";
    CHECK(scene.text(quiet) == "I was here");
    scene.write(spool, "third", 0, "x");
    const auto refused = scene.write(spool, "fourth", 0, "yy");
    CHECK(refused.bytes == 2);
    CHECK(refused.why == "services");
}

TEST_CASE("log spool: bytes that the disk refuses are counted, and told when it takes some again", "[host][logs]") {
    LogScene scene;
    const auto directory = scene.directory.path() / "services";
    std::ofstream(directory) << "in the way";   // root writes everywhere, but not into a file as if it were a directory
    LogSpool spool(directory, {});
    CHECK(scene.write(spool, "web", 0, "lost one").why == "disk");
    CHECK(scene.write(spool, "web", 8, "lost two").bytes >= 8);
    fs::remove(directory);
    scene.write(spool, "web", 16, "kept");
    LogView view(directory, {});
    const auto record = view.next();
    REQUIRE(record);
    CHECK(record->bytes == "kept");
    CHECK(record->lost == 16);
    CHECK(record->why == "disk");
}

TEST_CASE("log spool: a damaged log is set aside, not written over", "[host][logs]") {
    LogScene scene;
    std::ofstream(scene.directory.path() / "web.log") << "what is this\n";
    LogSpool spool(scene.directory.path(), {});
    CHECK(fs::exists(scene.directory.path() / "web.log.damaged"));
    scene.write(spool, "web", 0, "new");
    CHECK(scene.text() == "new");
}

}  // namespace
}  // namespace vigil::logs
