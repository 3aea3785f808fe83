#include "tests/bench/native/fleet/records.hpp"

#include "host/machine/reduce.hpp"
#include "host/shim/shim_note.hpp"
#include "host/store/store.hpp"
#include "host/verdict/verdict.hpp"
#include "tests/bench/native/fleet/vm.hpp"

#include <sys/random.h>
#include <unistd.h>

#include <stdexcept>

namespace vigil::fleet {

namespace {

using namespace machine;

constexpr std::size_t events_a_batch = 500;
constexpr std::uint32_t reports_of_an_ended_run = 20;

template <class T>
T need(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message());
  return std::move(*result);
}

std::uint64_t random_bits() {
  std::uint64_t bits = 0;
  if (::getrandom(&bits, sizeof bits, 0) != static_cast<ssize_t>(sizeof bits)) throw std::runtime_error("getrandom");
  return bits;
}

/// Appends as the daemon does: what an event makes of the VM's state is announced in the same transaction.
class Records {
public:
  explicit Records(const std::filesystem::path& path) : store_(need(store::Store::open(path.string()))), batch_(store_->begin()) {}

  void begin(const InstanceId& id) {
    id_ = id;
    state_ = VmState{};
  }
  void add(EventBody body, std::uint32_t run = run_number) {
    put(std::move(body), run);
    if (const auto said = verdict::announcement(state_)) put(*said, run);
  }
  void commit() {
    if (const auto done = batch_->commit(); !done) throw std::runtime_error(done.error().message());
    batch_.reset();
    batch_.emplace(store_->begin());
  }
  void commit_when_full() {
    if (batch_->encoded().size() >= events_a_batch) commit();
  }

private:
  void put(EventBody body, std::uint32_t run) {
    VmEvent event{0, id_, RunNumber(run), clock_.unix_us(), clock_.mono_us(), std::move(body)};
    if (batch_->add(event).kind != store::Admission::Kind::accepted)
      throw std::runtime_error("the store does not take an event of " + id_.value());
    reduce(state_, event);
  }

  SystemClock clock_;
  std::unique_ptr<store::Store> store_;
  std::optional<store::Batch> batch_;
  InstanceId id_;
  VmState state_;
};

InstanceSpec spec_of(const std::string& name) {
  InstanceSpec spec;
  spec.name = InstanceName(name);
  spec.image_name = "simulated";
  spec.image_digest = std::string(64, 'a');
  return spec;
}

void make_start(Records& records, const InstanceId& id, const std::string& name) {
  records.begin(id);
  records.add(Created{spec_of(name)}, 0);
  records.add(StartRequested{"bench", protocol::Accelerator::tcg});
  VmmStarted started;
  started.vmm = "qemu";
  started.vmm_version = "7.2.22";
  started.cid = 3;
  started.vmm_pid = started.shim_pid = started.device_pid = ::getpid();
  records.add(std::move(started));
}

void make_end(Records& records) {
  const BootId boot = make_boot_id();
  for (Seq seq = 1; seq <= reports_of_an_ended_run; ++seq) {
    protocol::ServiceReport service;
    service.name = ServiceName("web");
    service.state = seq % 2 == 0 ? protocol::ServiceState::ready : protocol::ServiceState::starting;
    records.add(Reported{{boot, 1, seq, seq * 1'000, std::move(service)}, Channel::link, false, 0});
  }
  records.add(VmmExited{protocol::ExitCode{0}, "guest-shutdown", SystemClock().unix_us(), 1'000, 1'000, 60'000, {}});
}

}  // namespace

std::vector<InstanceId> make_records(const std::filesystem::path& state, const std::filesystem::path& run, const Wanted& wanted) {
  std::vector<InstanceId> running;
  Records records(state / "vigil.db");
  for (std::size_t n = 0; n < wanted.running + wanted.ended; ++n) {
    const auto id = make_instance_id(random_bits());
    make_start(records, id, "fleet-" + std::to_string(n));
    std::filesystem::create_directories(state / "instances" / id.value() / "runs" / std::to_string(run_number));
    if (n < wanted.running) {
      std::filesystem::create_directories(run / id.value());
      running.push_back(id);
    } else {
      make_end(records);
    }
    records.commit_when_full();
  }
  records.commit();
  return running;
}

void note_shim(const std::filesystem::path& run, const InstanceId& id) {
  const shim::ShimNote note{RunNumber(run_number), need(shim::identify(::getpid())), shim::host_boot_id()};
  if (const auto written = shim::write_shim_note(run / id.value(), note); !written) throw std::runtime_error(written.error().message());
}

}  // namespace vigil::fleet
