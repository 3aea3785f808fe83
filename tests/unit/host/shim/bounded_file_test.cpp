// The head and the tail are kept, the middle goes back to the disk, and what is lost is counted.
#include "host/shim/bounded_writer.hpp"
#include "tests/unit/host/result_text.hpp"
#include "tests/unit/host/unix_client.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <fcntl.h>
#include <sys/stat.h>

namespace vigil::shim {

namespace {

constexpr std::uint64_t mib = 1 << 20;

UniqueFd open_new(const std::string& path) { return UniqueFd(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)); }

/// 8 bytes a step, each naming its own offset.
std::string counted(std::uint64_t begin, std::uint64_t end) {
  std::string text;
  char step[32];
  for (std::uint64_t at = begin; at < end; at += 8) {
    std::snprintf(step, sizeof(step), "%07llx\n", static_cast<unsigned long long>(at));
    text += step;
  }
  return text;
}

std::uint64_t disk_bytes(const std::string& path) {
  struct stat status {};
  ::stat(path.c_str(), &status);
  return static_cast<std::uint64_t>(status.st_blocks) * 512;
}

}  // namespace

TEST_CASE("bounded file: the gap is a function of the size", "[host][shim]") {
  const KeepCaps caps{10, 20};
  CHECK(gap_of(0, caps) == Gap{0, 0});
  CHECK(gap_of(7, caps) == Gap{7, 7});
  CHECK(gap_of(30, caps) == Gap{10, 10});
  CHECK(gap_of(31, caps) == Gap{10, 11});
  CHECK(gap_of(1000, caps) == Gap{10, 980});
}

TEST_CASE("bounded file: a flood keeps head and tail at their offsets and gives the middle back", "[host][shim]") {
  const test::TemporaryDirectory directory;
  const std::string path = (directory.path() / "console.log").string();
  const KeepCaps caps{mib, 4 * mib};
  BoundedWriter writer(open_new(path), caps);
  constexpr std::uint64_t total = 24 * mib, step = 64 << 10;
  for (std::uint64_t at = 0; at < total; at += step) {
    writer.append(counted(at, at + step));
    REQUIRE(disk_bytes(path) <= caps.head_bytes + caps.tail_bytes + 2 * mib);
  }
  writer.finish();
  CHECK(writer.size() == total);
  CHECK(writer.gap_bytes() == total - 5 * mib);
  CHECK(writer.lost_bytes() == 0);
  CHECK(disk_bytes(path) <= 5 * mib + (64 << 10));

  const auto kept = read_kept(path, caps);
  REQUIRE(kept);
  CHECK(kept->head == counted(0, mib));
  CHECK(kept->gap_bytes == total - 5 * mib);
  CHECK(kept->tail == counted(total - 4 * mib, total));
  CHECK(as_text(*kept).find("\n[vigil: 19922944 bytes not kept]\n") == mib - 1);
}

TEST_CASE("bounded file: a short text is read back whole, and a missing file is empty", "[host][shim]") {
  const test::TemporaryDirectory directory;
  const std::string path = (directory.path() / "console.log").string();
  CHECK(read_kept(path, console_caps)->head.empty());
  BoundedWriter writer(open_new(path), console_caps);
  writer.append("Linux version 6.12\n");
  CHECK(as_text(*read_kept(path, console_caps)) == "Linux version 6.12\n");
  CHECK(writer.last(5) == "6.12\n");
}

TEST_CASE("bounded writer: any offset is served from memory, from the file, or as lost", "[host][shim]") {
  const test::TemporaryDirectory directory;
  const KeepCaps caps{mib, 2 * mib};
  BoundedWriter writer(open_new((directory.path() / "c").string()), caps);
  constexpr std::uint64_t total = 8 * mib;
  for (std::uint64_t at = 0; at < total; at += 1024) writer.append(counted(at, at + 1024));
  CHECK(writer.read(512, 64).bytes == counted(512, 576));
  CHECK(writer.read(mib - 8, 64).bytes == counted(mib - 8, mib));   // stops where the gap begins
  const Piece gone = writer.read(mib + 8, 64);
  CHECK(gone.bytes.empty());
  CHECK(gone.lost == 5 * mib - 8);
  CHECK(writer.read(6 * mib, 64).bytes == counted(6 * mib, 6 * mib + 64));
  CHECK(writer.read(total - 8, 64).bytes == counted(total - 8, total));
  CHECK(writer.read(total, 64).bytes.empty());
  CHECK(writer.read(total + 100, 64).lost == 0);
}

TEST_CASE("bounded writer: a full disk loses bytes, counts them, and stalls nobody", "[host][shim]") {
  BoundedWriter writer(UniqueFd(::open("/dev/full", O_RDWR | O_CLOEXEC)), console_caps);
  constexpr std::uint64_t total = 2 * mib;
  for (std::uint64_t at = 0; at < total; at += 4096) writer.append(counted(at, at + 4096));
  CHECK(writer.size() == total);
  CHECK(writer.lost_bytes() == total);
  CHECK(writer.read(total - 4096, 4096).bytes == counted(total - 4096, total));   // the newest is still in memory
  const Piece gone = writer.read(0, 4096);
  CHECK(gone.bytes.empty());
  CHECK(gone.lost >= mib);
  CHECK(gone.lost <= total - (256 << 10));
}

}  // namespace vigil::shim
