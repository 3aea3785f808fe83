// vigil-fleet make STATE RUN RUNNING ENDED IDS_FILE: a state directory with that many VMs; the ids of the running ones, a line each.
// vigil-fleet serve RUN IDS_FILE FIRST COUNT EVENTS_PER_S SECONDS JOURNAL [LINK_SUFFIX CONSOLE_SEED]: those VMs, at most for so long, until stdin is closed. On stdout a line "up N" when all
// have their link and are settled. "quiet" on stdin: no new reports; when all are acknowledged "acknowledged N p50_us p99_us worst_us dropped" is said, and the journal has
// a line "ID BOOT SEQ TYPE WHAT" for each report that a store keeps for ever, and with a console "console DIGESTS SPOILT". A guest with many reports unacknowledged waits: a rate beyond reach
// measures what is taken. LINK_SUFFIX: of the path where a proxy takes the guests' links. CONSOLE_SEED other than 0: they print digests on rough consoles, too.
// vigil-fleet subscribe SOCKET COUNT SECONDS: so many subscribers of the daemon's events, until stdin is closed (subscribers.hpp).
#include "guest/log/log.hpp"
#include "tests/bench/native/fleet/records.hpp"
#include "tests/bench/native/fleet/subscribers.hpp"
#include "tests/bench/native/fleet/vm.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <stdexcept>

namespace {

using namespace vigil;
using namespace vigil::fleet;
namespace fs = std::filesystem;

constexpr std::chrono::milliseconds tick{5};
constexpr MonoUs health_every_us = 5'000'000;

std::vector<InstanceId> read_ids(const char* path, std::size_t first, std::size_t count) {
  std::vector<InstanceId> ids;
  std::ifstream in(path);
  std::string line;
  for (std::size_t n = 0; std::getline(in, line); ++n)
    if (n >= first && n < first + count) ids.emplace_back(line);
  return ids;
}

class Load {
public:
  Load(const fs::path& run, const std::vector<InstanceId>& ids, double events_per_second, double seconds, const char* journal, Way way)
      : journal_(journal), per_us_(events_per_second / 1e6), until_(loop_.now_us() + static_cast<MonoUs>(seconds * 1e6)) {
    for (const auto& id : ids) {
      note_shim(run, id);
      vms_.push_back(std::make_unique<Vm>(loop_, clock_, id, run, way));
      if (way.console_seed != 0) ++way.console_seed;
    }
    orders_ = loop_.watch(STDIN_FILENO, EPOLLIN, [this](std::uint32_t) { take_order(); });
  }

  void run() {
    for (const auto& vm : vms_) {
      vm->dial_host();
      vm->boot();
    }
    began_ = last_ = loop_.now_us();
    step();
    loop_.run();
  }

private:
  void print() const {
    std::ofstream out(journal_);
    std::vector<std::uint64_t> took;
    std::uint64_t dropped = 0;
    for (const auto& vm : vms_) {
      for (const auto& [seq, type] : vm->journal().durable)
        out << vm->id().value() << ' ' << vm->boot_id().value() << ' ' << seq << ' ' << type << '\n';
      took.insert(took.end(), vm->journal().acknowledged_us.begin(), vm->journal().acknowledged_us.end());
      dropped += vm->dropped();
    }
    std::ranges::sort(took);
    const auto at = [&](std::size_t percent) { return took.empty() ? 0 : took[std::min(took.size() - 1, took.size() * percent / 100)]; };
    std::printf("acknowledged %zu %lu %lu %lu %lu\n", took.size(), at(50), at(99), took.empty() ? 0 : took.back(), dropped);
    std::uint64_t digests = 0, spoilt = 0;
    for (const auto& vm : vms_) digests += vm->console().digests(), spoilt += vm->console().spoilt();
    if (digests > 0) out << "console " << digests << ' ' << spoilt << '\n';
    out.close();
    std::fflush(stdout);
  }

  void take_order() {
    char order[64];
    if (::read(STDIN_FILENO, order, sizeof order) <= 0) return loop_.stop();
    quiet_ = true;
  }

  void step() {
    const MonoUs now = loop_.now_us();
    const bool matters = !told_ || quiet_;
    const bool settled = matters && std::ranges::all_of(vms_, [](const auto& vm) { return vm->is_settled() && vm->is_up(); });
    if (settled && !std::exchange(told_, true)) {
      for (const auto& vm : vms_) vm->begin_measuring();
      std::printf("up %zu\n", vms_.size());
      std::fflush(stdout);
    }
    if (now >= until_) return loop_.stop();
    if (quiet_ && settled && !std::exchange(printed_, true)) print();
    if (told_ && !quiet_) speak(now);
    last_ = now;
    timer_ = loop_.after(tick, [this] { step(); });
  }

  /// Health in turn, spread over its five seconds; service events evenly over all.
  void speak(MonoUs now) {
    const auto share = [&](MonoUs at) { return static_cast<std::size_t>((at - began_) * vms_.size() / health_every_us); };
    for (std::size_t n = share(last_); n < share(now); ++n) vms_[n % vms_.size()]->report_health();
    owed_ += static_cast<double>(now - last_) * per_us_;
    for (std::size_t full = 0; owed_ >= 1 && full < vms_.size();) {
      auto& vm = *vms_[next_++ % vms_.size()];
      if (!vm.may_say_more()) {
        ++full;
        continue;
      }
      vm.report_service();
      owed_ -= 1;
      full = 0;
    }
    owed_ = std::min(owed_, 1.0);  // what nobody could say is not owed
  }

  guest::EventLoop loop_;
  SystemClock clock_;
  const char* journal_;
  double per_us_, owed_ = 0;
  MonoUs until_, began_ = 0, last_ = 0;
  bool quiet_ = false, told_ = false, printed_ = false;
  std::size_t next_ = 0;
  std::vector<std::unique_ptr<Vm>> vms_;
  guest::LoopToken orders_, timer_;
};

int make(char** argument) {
  const auto ids = make_records(argument[0], argument[1], {std::strtoul(argument[2], nullptr, 10), std::strtoul(argument[3], nullptr, 10)});
  std::ofstream out(argument[4]);
  for (const auto& id : ids) out << id.value() << '\n';
  return out.flush().good() ? 0 : 1;
}

int serve(char** argument, const Way& way) {
  guest::log::use(::open("/dev/null", O_WRONLY | O_CLOEXEC), guest::log::Format::plain);  // a line a link would be all that is seen
  const auto ids = read_ids(argument[1], std::strtoul(argument[2], nullptr, 10), std::strtoul(argument[3], nullptr, 10));
  Load load(argument[0], ids, std::atof(argument[4]), std::atof(argument[5]), argument[6], way);
  load.run();
  return 0;
}

int subscribe(char** argument) {
  Subscribers subscribers(argument[0], std::strtoul(argument[1], nullptr, 10),
                          std::chrono::milliseconds(std::strtoul(argument[2], nullptr, 10) * 1000));
  subscribers.run();
  return 0;
}

}  // namespace

int main(int count, char** argument) try {
  if (count == 7 && std::strcmp(argument[1], "make") == 0) return make(argument + 2);
  if (count == 9 && std::strcmp(argument[1], "serve") == 0) return serve(argument + 2, {});
  if (count == 11 && std::strcmp(argument[1], "serve") == 0)
    return serve(argument + 2, {argument[9], std::strtoull(argument[10], nullptr, 10)});
  if (count == 5 && std::strcmp(argument[1], "subscribe") == 0) return subscribe(argument + 2);
  std::fprintf(
      stderr,
      "usage: vigil-fleet make STATE RUN RUNNING ENDED IDS_FILE | serve RUN IDS_FILE FIRST COUNT EVENTS_PER_S SECONDS JOURNAL [LINK_SUFFIX CONSOLE_SEED] | "
      "subscribe SOCKET COUNT SECONDS\n");
  return 64;
} catch (const std::exception& error) {
  std::fprintf(stderr, "vigil-fleet: %s\n", error.what());
  return 1;
}
