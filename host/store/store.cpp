#include "host/store/store.hpp"

#include "host/store/batch_state.hpp"
#include "host/store/schema.hpp"

#include <cstdio>
#include <cstdlib>

namespace vigil::store {

using machine::EventSeq;

bool is_disk_full(const Error& error) { return error.code() == Errc::limit && error.message().find("host.disk_full") != std::string::npos; }

Batch::Batch(std::unique_ptr<BatchState> state) : state_(std::move(state)) {}
Batch::Batch(Batch&&) noexcept = default;
Batch::~Batch() = default;

Admission Batch::add(machine::VmEvent& event) {
  auto admission = state_->add(event);
  if (admission) return *admission;
  state_->fail(admission.error());               // commit() says so
  return Admission{Admission::Kind::conflict, 0};
}

Result<void> Batch::commit() { return state_->commit(); }
const std::vector<std::shared_ptr<const machine::EncodedEvent>>& Batch::encoded() const { return state_->encoded(); }
bool Batch::empty() const { return state_->empty(); }

Result<std::unique_ptr<Store>> Store::open(const std::string& path) {
  auto database = open_schema(path);
  if (!database) return database.error().with_context("open the store");
  auto state = StoreState::load(std::move(*database));
  if (!state) return state.error().with_context("read the store " + path);
  (void)(*state)->places.settle((*state)->database);   // of a full disk the first commit tells; until then they stay in memory
  auto checkpointer = Checkpointer::start(path, (*state)->database);
  if (!checkpointer) return checkpointer.error().with_context("open the store");
  (*state)->checkpointer = std::move(*checkpointer);
  return std::unique_ptr<Store>(new Store(std::move(*state)));
}

Store::Store(std::unique_ptr<StoreState> state) : state_(std::move(state)) {}
Store::~Store() = default;

Batch Store::begin() {
  if (state_->has_batch) {
    std::fputs("store: two batches at once\n", stderr);
    std::abort();
  }
  return Batch(std::make_unique<BatchState>(*state_));
}

EventSeq Store::newest_seq() const { return state_->next_event - 1; }

EventSeq Store::oldest_seq() const {
  const auto oldest = state_->database.integer("SELECT min(seq) FROM events");
  return oldest ? *oldest : 0;
}

Seq Store::acknowledged(const InstanceId& instance, RunNumber run, Epoch epoch, const BootId& boot) const {
  const auto known = state_->instance(instance);
  if (!known || !*known) return 0;
  const auto stream = state_->stream({(*known)->row, boot8(boot), run, epoch});
  return stream ? stream->last : 0;
}

Result<std::optional<std::string>> Store::token_sha256(const InstanceId& instance, RunNumber run, const BootId& boot) const {
  TRY(known, state_->instance(instance));
  if (!known) return std::optional<std::string>();
  TRY(row, state_->database.prepare("SELECT sha256 FROM tokens WHERE instance = ? AND run = ? AND boot = ?"));
  row.bind(1, known->row).bind(2, std::uint64_t{run.value()}).bind(3, boot.value());
  TRY(has_row, row.step());
  if (!has_row) return std::optional<std::string>();
  return std::optional(row.text(0));
}

}  // namespace vigil::store
