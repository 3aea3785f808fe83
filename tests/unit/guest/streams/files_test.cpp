#include "guest/files/worker.hpp"
#include "tests/unit/guest/streams/stage.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <thread>

namespace vigil::guest::files {
namespace {

namespace fs = std::filesystem;
using namespace vigil::streams;

/// A worker in a thread, the host's end of its stream, and a folder to work in.
class Work {
public:
  explicit Work(const Opening& opening, const std::string& sent_with_it = "") {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    host_.reset(ends[0]);
    const int file = ::memfd_create("opening", MFD_CLOEXEC);
    const auto bytes = framing::make_frame(encode(opening)) + sent_with_it;
    REQUIRE(::write(file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
    ::lseek(file, 0, SEEK_SET);
    thread_ = std::thread([connection = ends[1], file] {
      serve(connection, file);
      ::close(file);
    });
  }
  ~Work() {
    host_.reset();
    thread_.join();
  }

  void send(const std::string& bytes) {
    std::string out;
    append_chunks(out, Channel::data, bytes);
    send_raw(out);
  }
  void send_end() {
    std::string out;
    append_end(out, Channel::data);
    send_raw(out);
  }
  void cut() {
    host_.reset();
    thread_.join();
    thread_ = std::thread([] {});
  }
  /// Until the stream's last word.
  void finish() {
    receive_until([this] { return over_; });
    REQUIRE(over_);
  }
  void receive_until(const std::function<bool()>& done) {
    char block[65536];
    for (ssize_t count = 0; !done() && !over_ && (count = ::recv(host_.get(), block, sizeof block, 0)) > 0;) {
      if (!answer) frames.feed({block, static_cast<std::size_t>(count)});
      else chunks.feed({block, static_cast<std::size_t>(count)});
      if (!answer) {
        if (const auto frame = frames.next(); frame && *frame) answer = decode_answer(**frame);
        if (answer) chunks.feed(frames.take_rest());
      }
      for (auto chunk = chunks.next(); answer && chunk && *chunk; chunk = chunks.next()) {
        if ((*chunk)->channel == Channel::data) data += (*chunk)->bytes;
        if ((*chunk)->channel != Channel::control) continue;
        if ((*chunk)->is_end()) over_ = true;
        else last = *decode_control((*chunk)->bytes);
      }
    }
    REQUIRE(done());
  }

  std::optional<Result<std::string>> answer;
  std::string data;
  std::optional<Control> last;

private:
  void send_raw(const std::string& out) { REQUIRE(::send(host_.get(), out.data(), out.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(out.size())); }
  UniqueFd host_;
  std::thread thread_;
  framing::FrameReader frames;
  ChunkReader chunks;
  bool over_ = false;
};

class Folder {
public:
  Folder() { REQUIRE(::mkdtemp(path_.data()) != nullptr); }
  ~Folder() { fs::remove_all(path_); }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }
  std::size_t entries() const { return static_cast<std::size_t>(std::distance(fs::directory_iterator(path_), {})); }

private:
  std::string path_ = "/tmp/vigil-files-XXXXXX";
};

std::string content(const std::string& path) {
  std::ostringstream out;
  out << std::ifstream(path).rdbuf();
  return out.str();
}

std::string many_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<char>(i * 7 + i / 251);
  return bytes;
}

TEST_CASE("files: a file is read byte-exact, whole or a part", "[guest][files]") {
  Folder folder;
  const auto bytes = many_bytes(1'000'003);
  std::ofstream(folder.file("a")) << bytes;
  Work whole(FileReadOpening{folder.file("a"), 0, {}});
  whole.finish();
  CHECK(whole.answer->value().find("\"size\":1000003") != std::string::npos);
  CHECK(whole.data == bytes);
  CHECK(std::get<Done>(*whole.last).bytes == bytes.size());
  Work part(FileReadOpening{folder.file("a"), 500'000, 10});
  part.finish();
  CHECK(part.data == bytes.substr(500'000, 10));
  Work beyond(FileReadOpening{folder.file("a"), 2'000'000, {}});
  beyond.finish();
  CHECK(beyond.data.empty());
  CHECK(std::get<Done>(*beyond.last).bytes == 0);
}

TEST_CASE("files: what is no regular file is refused, also a FIFO that nobody writes", "[guest][files]") {
  Folder folder;
  REQUIRE(::mkfifo(folder.file("fifo").c_str(), 0600) == 0);
  const std::pair<std::string, Errc> cases[] = {
      {folder.path(), Errc::invalid}, {folder.file("fifo"), Errc::invalid}, {"/dev/zero", Errc::invalid}, {folder.file("none"), Errc::not_found}};
  for (const auto& [path, code] : cases) {
    Work work(FileReadOpening{path, 0, {}});
    work.finish();
    CHECK(work.answer->error().code() == code);
    CHECK(work.answer->error().message().find(path) != std::string::npos);
  }
}

TEST_CASE("files: a written file appears whole, with its mode", "[guest][files]") {
  Folder folder;
  const auto bytes = many_bytes(100'000);
  std::string early;
  append_chunks(early, Channel::data, bytes);
  Work work(FileWriteOpening{folder.file("new"), 0640, ""}, early);
  CHECK_FALSE(fs::exists(folder.file("new")));
  work.send("and more");
  work.send_end();
  work.finish();
  CHECK(std::get<Done>(*work.last).bytes == bytes.size() + 8);
  CHECK(content(folder.file("new")) == bytes + "and more");
  CHECK((fs::status(folder.file("new")).permissions() & fs::perms::mask) == fs::perms(0640));
  CHECK(folder.entries() == 1);
}

TEST_CASE("files: a cut write leaves what was there, and nothing else", "[guest][files]") {
  Folder folder;
  std::ofstream(folder.file("kept")) << "old";
  Work work(FileWriteOpening{folder.file("kept"), {}, ""});
  work.send("half of the new one");
  work.cut();
  CHECK(content(folder.file("kept")) == "old");
  CHECK(folder.entries() == 1);
}

TEST_CASE("files: what is replaced lends its mode, and a link is followed", "[guest][files]") {
  Folder folder;
  std::ofstream(folder.file("real")) << "old";
  fs::permissions(folder.file("real"), fs::perms(0751));
  fs::create_symlink("real", folder.file("link"));
  Work work(FileWriteOpening{folder.file("link"), {}, ""});
  work.send("new");
  work.send_end();
  work.finish();
  CHECK(content(folder.file("real")) == "new");
  CHECK(fs::is_symlink(folder.file("link")));
  CHECK((fs::status(folder.file("real")).permissions() & fs::perms::mask) == fs::perms(0751));
}

TEST_CASE("files: a file in no directory and a full disk are named", "[guest][files]") {
  Folder folder;
  Work nowhere(FileWriteOpening{folder.file("no/such/file"), {}, ""});
  nowhere.finish();
  CHECK(nowhere.answer->error().code() == Errc::not_found);
  Work directory(FileWriteOpening{folder.path(), {}, ""});
  directory.finish();
  CHECK(directory.answer->error().code() == Errc::invalid);
}

TEST_CASE("files: a listing has every entry, odd names as bytes", "[guest][files]") {
  Folder folder;
  std::ofstream(folder.file("a \"name\"\n")) << "12345";
  std::ofstream(folder.file("\xff\xfe"));
  fs::create_directory(folder.file("dir"));
  fs::create_symlink("nowhere", folder.file("link"));
  Work work(DirListOpening{folder.path()});
  work.finish();
  CHECK(std::get<Done>(*work.last).bytes == 4);
  CHECK(std::count(work.data.begin(), work.data.end(), '\n') == 4);
  CHECK(work.data.find(R"("name":"a \"name\"\n")") != std::string::npos);
  CHECK(work.data.find("name_b64") != std::string::npos);
  CHECK(work.data.find(R"("target":"nowhere")") != std::string::npos);
  CHECK(work.data.find(R"("type":"directory")") != std::string::npos);
  Work file(DirListOpening{folder.file("a \"name\"\n")});
  file.finish();
  CHECK(file.answer->error().code() == Errc::invalid);
}

/// The host's end of a watch; `saw` waits for a line.
struct Watch : Work {
  explicit Watch(const std::string& path) : Work(DirWatchOpening{path}) {
    receive_until([this] { return answer.has_value(); });
  }
  void saw(const std::string& line) {
    receive_until([&] { return data.find(line + "\n") != std::string::npos; });
  }
  std::size_t count(const std::string& line) const {
    std::size_t found = 0;
    for (std::size_t at = data.find(line + "\n"); at != std::string::npos; at = data.find(line + "\n", at + 1)) ++found;
    return found;
  }
};

TEST_CASE("files: a watched directory tells what happens in it from the answer on, and not below it", "[guest][files]") {
  Folder folder;
  std::ofstream(folder.file("before")) << "x";
  Watch watch(folder.path());
  REQUIRE(watch.answer->has_value());
  CHECK(**watch.answer == R"({"recursive":false})");
  std::ofstream(folder.file("a \"name\"\n")) << "12345";
  watch.saw(R"({"event":"written","name":"a \"name\"\n"})");
  CHECK(watch.count(R"({"event":"created","name":"a \"name\"\n"})") == 1);
  fs::create_directory(folder.file("below"));
  watch.saw(R"({"directory":true,"event":"created","name":"below"})");
  std::ofstream(folder.file("below/unseen")) << "x";
  std::ofstream(folder.file("\xff\xfe"));
  watch.saw(R"({"event":"created","name_b64":"//4="})");
  fs::rename(folder.file("before"), folder.file("after"));
  watch.receive_until([&] {
    const auto from = watch.data.find("\"event\":\"moved_from\",\"name\":\"before\""), to = watch.data.find("\"event\":\"moved_to\",\"name\":\"after\"");
    return from != std::string::npos && to != std::string::npos && watch.data.find("{\"cookie\":") != std::string::npos;
  });
  fs::remove(folder.file("after"));
  watch.saw(R"({"event":"deleted","name":"after"})");
  CHECK(watch.data.find("unseen") == std::string::npos);
  watch.cut();   // the worker ends with the host: else this would wait for ever
}

TEST_CASE("files: a watch ends when its directory goes, and says so", "[guest][files]") {
  Folder folder;
  fs::create_directory(folder.file("dir"));
  Watch watch(folder.file("dir"));
  fs::rename(folder.file("dir"), folder.file("elsewhere"));
  watch.finish();
  CHECK(watch.data == "{\"event\":\"gone\"}\n");
  CHECK(std::get<Done>(*watch.last).bytes == 1);
}

TEST_CASE("files: a host that reads too slowly to know everything is told so", "[guest][files]") {
  Folder folder;
  Watch watch(folder.path());
  std::size_t queue = 0;
  std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> queue;
  if (queue == 0 || queue > 100'000) SKIP("the queue of this machine is too long to be filled here");
  // The worker blocks in a full socket, then the kernel's queue fills; each pair is two names, so that none is folded into the one before.
  const auto one = folder.file(std::string(200, 'a')), other = folder.file(std::string(200, 'b'));
  for (std::size_t i = 0; i < queue; ++i) {
    ::close(::creat(one.c_str(), 0600));
    ::unlink(one.c_str());
    ::close(::creat(other.c_str(), 0600));
    ::unlink(other.c_str());
  }
  watch.saw(R"({"event":"overflow"})");
  std::ofstream(folder.file("later"));
  watch.saw(R"({"event":"created","name":"later"})");
}

TEST_CASE("files: what cannot be watched is refused by name, as a listing is", "[guest][files]") {
  Folder folder;
  std::ofstream(folder.file("file"));
  Watch file(folder.file("file")), missing(folder.file("missing"));
  CHECK(file.answer->error().code() == Errc::invalid);
  CHECK(missing.answer->error().code() == Errc::not_found);
}

}  // namespace
}  // namespace vigil::guest::files
