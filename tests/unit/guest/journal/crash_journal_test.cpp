// The journal over a real directory, with the real writer.
#include "guest/journal/crash_journal.hpp"

#include "../process/scene.hpp"
#include "crash_reports.hpp"

#include <sys/mount.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>

namespace vigil::guest::journal {

namespace fs = std::filesystem;

namespace {

struct JournalScene {
  ProcessScene processes;
  TestDirectory directory;
  SystemClock clock;
  report::Outbox outbox{this_boot, clock};
  bool link_is_up = false;
  std::vector<std::string> troubles;
  std::string folder = directory.path() + "/kept";
  std::unique_ptr<CrashJournal> journal = make();

  std::unique_ptr<CrashJournal> make() {
    JournalTools tools{processes.loop,
                       processes.launcher,
                       processes.reaper,
                       outbox,
                       [this] { return link_is_up; },
                       [this](const std::string& reason) { troubles.push_back(reason); },
                       VIGIL_GUEST,
                       1};
    return std::make_unique<CrashJournal>(std::move(tools), folder);
  }
  Seq crash(const std::string& id, std::size_t tail = 10) {
    const Seq seq = outbox.append(crash_of(id, std::string(tail, 'x')));
    journal->crash_queued();
    return seq;
  }
  void host_has(Seq upto) {
    while (const auto* next = outbox.next_to_send()) outbox.mark_sent(next->seq);
    outbox.acknowledge(upto);
    journal->acknowledged();
  }
  std::string file() const { return folder + "/" + journal_name; }
  std::string bytes() const {
    std::ifstream in(file(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::vector<Seq> kept() const {
    std::vector<Seq> seqs;
    for (const auto& crash : read_journal(bytes()).crashes) seqs.push_back(crash.seq);
    return seqs;
  }
  void settle() {
    bool done = false;
    journal->settle(std::chrono::seconds(30), [&] { done = true; });
    REQUIRE(run_until(processes.loop, [&] { return done; }));
  }
};

}  // namespace

TEST_CASE("journal: without a link a crash is on disk at once, later ones behind it, and all go once the host has them",
          "[guest][journal]") {
  JournalScene scene;
  scene.crash("web-1");
  REQUIRE(run_until(scene.processes.loop, [&] { return scene.kept() == std::vector<Seq>{1}; }));
  const auto first = scene.bytes();
  scene.crash("web-2");
  REQUIRE(run_until(scene.processes.loop, [&] { return scene.kept() == std::vector<Seq>{1, 2}; }));
  REQUIRE(scene.bytes().starts_with(first));   // appended, not written anew
  struct stat status{};
  REQUIRE(::stat(scene.file().c_str(), &status) == 0);
  REQUIRE((status.st_mode & 0777) == 0600);
  scene.host_has(2);
  REQUIRE(run_until(scene.processes.loop, [&] { return !fs::exists(scene.file()); }));
  REQUIRE(scene.troubles.empty());
}

TEST_CASE("journal: a host that acknowledges soon costs no write", "[guest][journal]") {
  JournalScene scene;
  scene.link_is_up = true;
  scene.host_has(scene.crash("web-1"));
  scene.settle();
  REQUIRE_FALSE(fs::exists(scene.folder));
}

TEST_CASE("journal: at the end of the machine what the host has not taken is written before it is left", "[guest][journal]") {
  JournalScene scene;
  scene.link_is_up = true;
  scene.crash("web-1");
  scene.settle();
  REQUIRE(scene.kept() == std::vector<Seq>{1});
}

TEST_CASE("journal: acknowledged ones do not fill it", "[guest][journal]") {
  JournalScene scene;
  Seq last = 0;
  for (std::size_t i = 0; i < 2 * max_records + 3; ++i) {   // one is always unacknowledged, so that it never becomes empty
    scene.crash("web-" + std::to_string(i));
    scene.settle();
    scene.host_has(last);
    last = scene.outbox.next_seq() - 1;
    const auto contents = read_journal(scene.bytes());
    REQUIRE(contents.torn == 0);
    REQUIRE(contents.crashes.back().seq == last);
  }
}

TEST_CASE("journal: what an earlier life has left is read, a torn tail too", "[guest][journal]") {
  JournalScene scene;
  fs::create_directory(scene.folder);
  const auto whole = encode_record(report_of(7, "web-1", earlier_boot)), cut = encode_record(report_of(8, "web-2", earlier_boot));
  std::ofstream(scene.file(), std::ios::binary) << whole << cut.substr(0, cut.size() / 2);
  const auto left = scene.journal->take_left();
  REQUIRE(left.crashes.size() == 1);
  REQUIRE(left.crashes[0].boot == earlier_boot);
  REQUIRE(left.torn == cut.size() / 2);

  // A new crash does not go behind the torn one, where nobody would find it.
  scene.crash("web-3");
  scene.settle();
  REQUIRE(scene.kept() == std::vector<Seq>{1});
}

TEST_CASE("journal: a spent file of an earlier life goes with the first acknowledgement", "[guest][journal]") {
  JournalScene scene;
  fs::create_directory(scene.folder);
  std::ofstream(scene.file()) << "what a power cut has left";
  REQUIRE(scene.journal->take_left().crashes.empty());
  scene.host_has(scene.outbox.append(protocol::StageReport{}));
  REQUIRE(run_until(scene.processes.loop, [&] { return !fs::exists(scene.file()); }));
}

TEST_CASE("journal: a disk that takes nothing is said once, with the reason, and the next crash tries again", "[guest][journal]") {
  JournalScene scene;
  std::ofstream(scene.folder) << "a file where the directory should be";
  scene.crash("web-1");
  REQUIRE(run_until(scene.processes.loop, [&] { return !scene.troubles.empty(); }));
  scene.crash("web-2");
  scene.settle();
  REQUIRE(scene.troubles == std::vector<std::string>{"Not a directory"});
  fs::remove(scene.folder);
  scene.crash("web-3");
  scene.settle();
  REQUIRE(scene.kept() == std::vector<Seq>{1, 2, 3});
}

TEST_CASE("journal: a full disk keeps what was whole, and says so", "[guest][journal]") {
  JournalScene scene;
  fs::create_directory(scene.folder);
  if (::mount("tmpfs", scene.folder.c_str(), "tmpfs", 0, "size=64k") != 0) SKIP("no right to mount here");
  scene.crash("web-1");
  scene.settle();
  scene.crash("web-2", 60'000);
  scene.settle();
  REQUIRE(scene.troubles == std::vector<std::string>{"No space left on device"});
  REQUIRE(scene.kept() == std::vector<Seq>{1});
  scene.host_has(2);
  scene.settle();
  REQUIRE_FALSE(fs::exists(scene.file()));
  ::umount2(scene.folder.c_str(), MNT_DETACH);
}

TEST_CASE("journal: a read-only disk is said, and nothing waits for it", "[guest][journal]") {
  JournalScene scene;
  fs::create_directory(scene.folder);
  if (::mount("tmpfs", scene.folder.c_str(), "tmpfs", MS_RDONLY, "size=64k") != 0) SKIP("no right to mount here");
  scene.crash("web-1");
  scene.settle();
  REQUIRE(scene.troubles == std::vector<std::string>{"Read-only file system"});
  ::umount2(scene.folder.c_str(), MNT_DETACH);
}

}  // namespace vigil::guest::journal
