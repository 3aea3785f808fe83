#include "host/images/image_store.hpp"
#include "host/images/sha256.hpp"
#include "tests/unit/host/unix_client.hpp"

#include <nlohmann/json.hpp>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <fstream>

namespace fs = std::filesystem;
using vigil::Errc;
using vigil::images::ImageStore;
using vigil::images::sha256_hex;

namespace {

void write(const fs::path& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

nlohmann::json file_entry(const std::string& name, const std::string& bytes) {
    return {{"file", name}, {"sha256", sha256_hex(bytes)}, {"bytes", bytes.size()}};
}

nlohmann::json manifest(const std::string& name, int created = 1) {
    nlohmann::json kernel = file_entry("kernel", "KERNEL");
    kernel["version"] = "6.12";
    return {{"format", 1}, {"name", name}, {"created_unix", created}, {"suite", "trixie"}, {"architecture", "amd64"}, {"init", "pid1"},
            {"min_memory_mib", 128}, {"kernel", kernel}, {"initrd", file_entry("initrd", "INITRD")}, {"root", file_entry("root.ext4", "ROOT")},
            {"overlay", file_entry("overlay.ext4", "OVERLAY")}, {"agent", {{"version", "0.1"}, {"build_id", "b"}, {"sha256", "s"}}},
            {"image_id", "id-1"}, {"services", {"web"}}, {"packages", nlohmann::json::array()}};
}

/// Publishes an image as the builder does; gives its digest.
std::string publish(const fs::path& images, const nlohmann::json& json) {
    const auto text = json.dump();
    const auto digest = sha256_hex(text);
    const fs::path directory = images / json["name"].get<std::string>() / digest;
    fs::create_directories(directory);
    write(directory / "manifest.json", text);
    write(directory / "kernel", "KERNEL");
    write(directory / "initrd", "INITRD");
    write(directory / "root.ext4", "ROOT");
    write(directory / "overlay.ext4", "OVERLAY");
    const auto current = directory.parent_path() / "current";
    fs::remove(current);
    fs::create_directory_symlink(digest, current);
    return digest;
}

}  // namespace

TEST_CASE("sha256 of a known text", "[host][images]") {
    CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");  // FIPS 180-4, B.1
}

TEST_CASE("images: a name gives the current digest, a unique prefix that digest", "[host][images]") {
    vigil::test::TemporaryDirectory directory;
    const auto older = publish(directory.path(), manifest("minimal", 1));
    const auto newer = publish(directory.path(), manifest("minimal", 2));
    const ImageStore store(directory.path());
    CHECK(store.resolve("minimal")->digest == newer);
    CHECK(store.resolve("minimal")->current);
    const auto old_one = store.resolve("minimal@" + older.substr(0, 8));
    REQUIRE(old_one.has_value());
    CHECK(old_one->digest == older);
    CHECK_FALSE(old_one->current);
    CHECK(store.list().images.size() == 2);
    CHECK(store.list().images.front().digest == newer);
}

TEST_CASE("images: of images of one date the one that came last is the newest", "[host][images]") {
    vigil::test::TemporaryDirectory directory;
    auto other = manifest("minimal", 1);
    const auto first = publish(directory.path(), other);
    other["image_id"] = "id-2";
    const auto second = publish(directory.path(), other);
    const auto early = fs::file_time_type::clock::now() - std::chrono::hours(1);
    fs::last_write_time(directory.path() / "minimal" / second / "manifest.json", early);
    CHECK(ImageStore(directory.path()).list().images.front().digest == first);
    fs::last_write_time(directory.path() / "minimal" / first / "manifest.json", early - std::chrono::hours(1));
    CHECK(ImageStore(directory.path()).list().images.front().digest == second);
}

TEST_CASE("images: an error names what exists", "[host][images]") {
    vigil::test::TemporaryDirectory directory;
    const ImageStore store(directory.path());
    CHECK(store.resolve("desktop").error().message().find("no image has been built") != std::string::npos);
    const auto digest = publish(directory.path(), manifest("minimal"));
    const auto unknown = store.resolve("desktop").error();
    CHECK(unknown.code() == Errc::not_found);
    CHECK(unknown.message().find("minimal") != std::string::npos);
    const auto no_digest = store.resolve("minimal@0123456789").error();
    CHECK(no_digest.code() == Errc::not_found);
    CHECK(no_digest.message().find(digest.substr(0, 12)) != std::string::npos);
    const auto reference = GENERATE("minimal@abc", "minimal@XYZXYZXYZ", "../minimal", "", "@12345678", "minimal@../../../etc");
    CAPTURE(reference);
    CHECK(store.resolve(reference).error().code() == Errc::invalid);
}

TEST_CASE("images: a changed manifest is a digest mismatch", "[host][images]") {
    vigil::test::TemporaryDirectory directory;
    const auto digest = publish(directory.path(), manifest("minimal"));
    auto changed = manifest("minimal");
    changed["init"] = "systemd";
    write(directory.path() / "minimal" / digest / "manifest.json", changed.dump());
    const ImageStore store(directory.path());
    const auto error = store.resolve("minimal").error();
    CHECK(error.code() == Errc::conflict);
    CHECK(error.message().find("digest mismatch") != std::string::npos);
    CHECK(store.list().images.empty());
    CHECK(store.list().damaged.size() == 1);
}

TEST_CASE("images: a file that is short, missing or altered is named", "[host][images]") {
    vigil::test::TemporaryDirectory directory;
    const auto digest = publish(directory.path(), manifest("minimal"));
    const auto files = directory.path() / "minimal" / digest;
    const auto image = ImageStore(directory.path()).resolve("minimal");
    REQUIRE(image.has_value());
    CHECK(ImageStore::verify_contents(*image).has_value());

    write(files / "root.ext4", "RO");
    CHECK(ImageStore::verify_files(*image).error().code() == Errc::conflict);
    CHECK(ImageStore::verify_files(*image).error().message().find("root.ext4") != std::string::npos);
    write(files / "root.ext4", "RAT!");
    CHECK(ImageStore::verify_files(*image).has_value());  // same size: seen by the full check only
    CHECK(ImageStore::verify_contents(*image).error().message().find("root.ext4") != std::string::npos);
    fs::remove(files / "initrd");
    CHECK(ImageStore::verify_files(*image).error().message().find("initrd") != std::string::npos);
}

TEST_CASE("images: a hostile manifest is refused", "[host][images]") {
    auto json = manifest("minimal");
    SECTION("a file outside the directory") { json["root"]["file"] = "../../etc/shadow"; }
    SECTION("a hidden file") { json["root"]["file"] = ".."; }
    SECTION("a hash that is none") { json["kernel"]["sha256"] = "zz"; }
    SECTION("a negative size") { json["kernel"]["bytes"] = -1; }
    SECTION("a size beyond numbers") { json["kernel"]["bytes"] = 1e300; }
    SECTION("another format") { json["format"] = 2; }
    SECTION("a text where an object belongs") { json["initrd"] = "initrd"; }
    SECTION("no services") { json.erase("services"); }
    CHECK(vigil::images::parse_manifest(json.dump()).has_error());
}

TEST_CASE("images: a manifest that is too deep or too large is refused, not read", "[host][images]") {
    CHECK(vigil::images::parse_manifest(std::string(100'000, '[')).has_error());
    CHECK(vigil::images::parse_manifest(std::string(5 << 20, ' ')).has_error());
}
