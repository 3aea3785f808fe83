#include "host/blackbox/archive.hpp"
#include "tests/unit/host/unix_client.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <catch2/catch_test_macros.hpp>

#include <fstream>
#include <iterator>

namespace vigil::blackbox {
namespace {

namespace fs = std::filesystem;

std::string contents(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

TEST_CASE("archive: entries come back by name, and a folder as files", "[host][blackbox]") {
    test::TemporaryDirectory directory;
    const auto path = directory.path() / "a.tar.zst";
    const std::string large(300'000, 'x'), odd("a\0b\xff", 4);
    {
        ArchiveWriter writer(path);
        REQUIRE(writer.open().has_value());
        REQUIRE(writer.add("index.json", "{}", 1'000'000).has_value());
        REQUIRE(writer.add("services/web.log", odd, 1'000'000).has_value());
        REQUIRE(writer.add("console.log", large, 1'000'000).has_value());
        REQUIRE(writer.add("services/db.log", "", 1'000'000).has_value());
        CHECK_FALSE(fs::exists(path));
        REQUIRE(writer.finish().has_value());
    }
    const auto entries = list_entries(path);
    REQUIRE(entries.has_value());
    REQUIRE(entries->size() == 4);
    CHECK(entries->at(2).bytes == large.size());
    CHECK(*read_entry(path, "console.log", 1 << 20) == large);
    CHECK(read_entry(path, "console.log", 10)->size() == 10);
    CHECK(read_entry(path, "nothing", 10).error().code() == Errc::not_found);
    REQUIRE(extract_folder(path, "services", directory.path() / "out", 1 << 20).has_value());
    CHECK(contents(directory.path() / "out" / "web.log") == odd);
    CHECK(fs::exists(directory.path() / "out" / "db.log"));
    CHECK_FALSE(fs::exists(directory.path() / "out" / "console.log"));
}

TEST_CASE("archive: without its end nothing is left, and what a dead daemon left is in nobody's way", "[host][blackbox]") {
    test::TemporaryDirectory directory;
    const auto path = directory.path() / "a.tar.zst";
    std::ofstream(path.string() + ".new") << "half";
    {
        ArchiveWriter writer(path);
        REQUIRE(writer.open().has_value());
        REQUIRE(writer.add("index.json", "{}", 1).has_value());
    }
    CHECK(fs::is_empty(directory.path()));
    ArchiveWriter nowhere(directory.path() / "no" / "a.tar.zst");
    CHECK(nowhere.open().error().message().find("a.tar.zst") != std::string::npos);
}

TEST_CASE("archive: damage and entries that leave their folder are refused with their reason", "[host][blackbox]") {
    test::TemporaryDirectory directory;
    const auto path = directory.path() / "a.tar.zst";
    {
        ArchiveWriter writer(path);
        REQUIRE(writer.open().has_value());
        REQUIRE(writer.add("services/../../escape", "x", 1).has_value());
        REQUIRE(writer.add("services/large", std::string(5000, 'y'), 1).has_value());
        REQUIRE(writer.finish().has_value());
    }
    CHECK(extract_folder(path, "services", directory.path() / "out", 1 << 20).error().code() == Errc::invalid);
    CHECK_FALSE(fs::exists(directory.path() / "escape"));
    auto bytes = contents(path);
    for (std::size_t at = 0; at < bytes.size(); at += 7) {
        auto flipped = bytes;
        flipped[at] = static_cast<char>(flipped[at] ^ 0x55);
        std::ofstream(path, std::ios::binary) << flipped;
        (void)list_entries(path);             // an error or not: no crash, no hang
        (void)read_entry(path, "services/large", 100);
    }
    std::ofstream(path, std::ios::binary) << bytes.substr(0, bytes.size() / 2);
    CHECK(list_entries(path).has_error());
}

}  // namespace
}  // namespace vigil::blackbox
