#include "guest/upgrade/codec.hpp"

#include "guest/upgrade/archive.hpp"
#include "shared/base/encoding.hpp"
#include "shared/base/overloaded.hpp"
#include "shared/protocol/codec.hpp"

#include <type_traits>

namespace vigil::guest::upgrade {
namespace {

constexpr std::string_view magic = "vigilup1";
constexpr std::size_t head_bytes = 8 + 3 * 8;

/// A value that has a text form of its own, which its own readers check.
template <class Archive, class T, class Encode, class Decode>
void as_text(Archive& archive, T& value, Encode encode_value, Decode decode_value) {
  std::string text;
  if constexpr (!Archive::reads) text = encode_value(value);
  archive(text);
  if constexpr (Archive::reads) {
    if (archive.failed()) return;
    auto decoded = decode_value(text);
    if (decoded)
      value = std::move(*decoded);
    else
      archive.fail();
  }
}

}  // namespace

// One function a record; found by the archive through the arguments' namespaces, so the foreign ones are wrapped.
template <class Archive>
void fields(Archive& archive, KeptAgent& kept);
template <class Archive>
void fields(Archive& archive, KeptLog& log) {
  archive(log.out, log.err);
}

}  // namespace vigil::guest::upgrade

namespace vigil::protocol {
template <class Archive>
void fields(Archive& archive, Cause& cause) {
  guest::upgrade::as_text(
      archive, cause, [](const Cause& value) { return value.text.empty() ? std::string() : encode_cause(value); },
      [](const std::string& text) { return text.empty() ? Result<Cause>(Cause{}) : decode_cause(text); });
}
template <class Archive>
void fields(Archive& archive, ProbeResult& result) {
  archive(result.probe, result.passed, result.passed_us);
}
}  // namespace vigil::protocol

namespace vigil::guest::process {
template <class Archive>
void fields(Archive& archive, KeptTail& tail) {
  archive(tail.begin, tail.end, tail.bytes, tail.marks);
}
template <class Archive>
void fields(Archive& archive, KeptCgroup& cgroup) {
  archive(cgroup.directory, cgroup.generation, cgroup.spent);
}
}  // namespace vigil::guest::process

namespace vigil::guest::readiness {
template <class Archive>
void fields(Archive& archive, ProbeSet::Kept& kept) {
  archive(kept.result, upgrade::Descriptor{kept.probe.fd}, kept.probe.uid);
}
}  // namespace vigil::guest::readiness

namespace vigil::guest::supervisor {
template <class Archive>
void fields(Archive& archive, KeptPolicy& policy) {
  archive(policy.deaths, policy.failures_in_a_row);
}
template <class Archive>
void fields(Archive& archive, KeptHealth& health) {
  archive(health.health, health.failures, health.cause);
}
template <class Archive>
void fields(Archive& archive, KeptRun& run) {
  archive(run.pid, run.started_us, upgrade::Descriptor{run.out_fd}, upgrade::Descriptor{run.err_fd}, run.probes, run.oom_kills,
          run.forks_refused, run.periods, run.periods_throttled, run.forks_told, run.health);
}
template <class Archive>
void fields(Archive& archive, KeptService& service) {
  archive(service.name, service.state, service.since_us, service.ready_since_us, service.cause, service.ended_by_us, service.waits_for,
          service.last_probes, service.restarts, service.crashes, service.finished, service.start_after_stop, service.launched_before,
          service.announced, service.backoff, service.grace, service.policy, service.cgroup, service.run);
}
template <class Archive>
void fields(Archive& archive, KeptSupervisor& kept) {
  archive(kept.services, kept.failures_told, kept.orphan_crashes, kept.is_ready_told, kept.is_settled_told);
}
}  // namespace vigil::guest::supervisor

namespace vigil::streams {
template <class Archive>
void fields(Archive& archive, LogPosition& position) {
  archive(position.out, position.err);
}
}  // namespace vigil::streams

namespace vigil::guest::streams {

/// An exit status, as three numbers and a text.
struct FlatExit {
  std::uint32_t kind = 0;             // 0 code, 1 signal, 2 unknown
  std::int64_t number = 0;
  bool core = false;
  std::string reason;
};
template <class Archive>
void fields(Archive& archive, FlatExit& flat) {
  archive(flat.kind, flat.number, flat.core, flat.reason);
}

FlatExit flatten(const protocol::ExitStatus& status) {
  return std::visit(Overloaded{[](const protocol::ExitCode& code) { return FlatExit{0, code.code, false, {}}; },
                               [](const protocol::ExitSignal& signal) { return FlatExit{1, signal.signal, signal.core, {}}; },
                               [](const protocol::ExitUnknown& unknown) { return FlatExit{2, 0, false, unknown.reason}; }},
                    status);
}

protocol::ExitStatus unflatten(const FlatExit& flat) {
  if (flat.kind == 0) return protocol::ExitCode{static_cast<std::int32_t>(flat.number)};
  if (flat.kind == 1) return protocol::ExitSignal{static_cast<std::int32_t>(flat.number), flat.core};
  return protocol::ExitUnknown{flat.reason};
}

template <class Archive>
void fields(Archive& archive, KeptOutput& output) {
  archive(output.channel, upgrade::Descriptor{output.fd}, output.kept, output.lost, output.taken, output.ended);
}
template <class Archive>
void fields(Archive& archive, KeptExec& exec) {
  std::optional<FlatExit> exit;
  if (exec.exit) exit = flatten(*exec.exit);
  archive(exec.id, exec.alone, exec.pid, exec.outputs, upgrade::Descriptor{exec.terminal_fd}, upgrade::Descriptor{exec.input_fd},
          exec.input, exec.input_ending, exit);
  if constexpr (Archive::reads) {
    if (exit) exec.exit = unflatten(*exit);
  }
}
template <class Archive>
void fields(Archive& archive, KeptExecStream& stream) {
  archive(stream.id, stream.ended, stream.over);
}
template <class Archive>
void fields(Archive& archive, KeptLogFollow& log) {
  archive(log.service, log.turn, log.follow, log.over, log.positions, log.sent);
}
template <class Archive>
void fields(Archive& archive, KeptBridge& bridge) {
  archive(upgrade::Descriptor{bridge.fd}, bridge.input, bridge.local_ended, bridge.host_ended, bridge.sent);
}
/// One alternative by its index, each a record.
template <class Archive>
void operation_fields(Archive& archive, KeptOperation& operation) {
  std::uint64_t index = operation.index();
  archive(index);
  if constexpr (Archive::reads) {
    if (index == 1)
      operation = KeptExecStream{};
    else if (index == 2)
      operation = KeptLogFollow{};
    else if (index == 3)
      operation = KeptBridge{};
    else if (index != 0)
      return archive.fail();
  }
  if (auto* exec = std::get_if<KeptExecStream>(&operation)) archive(*exec);
  if (auto* log = std::get_if<KeptLogFollow>(&operation)) archive(*log);
  if (auto* bridge = std::get_if<KeptBridge>(&operation)) archive(*bridge);
}
template <class Archive>
void fields(Archive& archive, KeptStream& stream) {
  archive(upgrade::Descriptor{stream.fd}, stream.state, stream.unread, stream.out, stream.room, stream.input_paused);
  operation_fields(archive, stream.operation);
}
template <class Archive>
void fields(Archive& archive, StreamServer::Kept& kept) {
  archive(upgrade::Descriptor{kept.listener}, kept.streams);
}
}  // namespace vigil::guest::streams

namespace vigil::guest::egress {
template <class Archive>
void fields(Archive& archive, EgressProxy::Kept& kept) {
  archive(upgrade::Descriptor{kept.listener}, kept.streams);
}
}  // namespace vigil::guest::egress

namespace vigil::guest::upgrade {

template <class Archive>
void fields(Archive& archive, KeptAgent& kept) {
  archive(kept.request, kept.from_build, kept.to_build, kept.boot);
  as_text(
      archive, kept.line, [&](const boot::Handover& line) { return boot::encode_handover(line, BootId(kept.boot)); },
      [](const std::string& text) { return boot::decode_handover(text); });
  archive(Descriptor{kept.line.link_fd}, kept.cgroup_root, kept.tracefs, kept.image, kept.problems, kept.was_ready, kept.told_failure,
          kept.supervisor, kept.logs, kept.execs, kept.file_workers, kept.streams, kept.egress);
}

namespace {

template <class T>
bool is_in(T value, T last) {
  return static_cast<std::uint64_t>(value) <= static_cast<std::uint64_t>(last);
}

bool has_known_words(const streams::KeptStream& stream) { return is_in(stream.state, streams::KeptStream::State::finishing); }

/// Numbers stand for words: those that no word has are nonsense.
bool has_known_words(const KeptAgent& kept) {
  for (const auto& service : kept.supervisor.services) {
    if (!is_in(service.state, protocol::ServiceState::failed)) return false;
    if (service.run && service.run->health && !is_in(service.run->health->health, supervisor::Health::unhealthy)) return false;
  }
  for (const auto& exec : kept.execs)
    for (const auto& output : exec.outputs)
      if (!is_in(output.channel, vigil::streams::Channel::control)) return false;
  for (const auto& stream : kept.streams.streams)
    if (!has_known_words(stream)) return false;
  return true;
}

}  // namespace

Encoded encode(const KeptAgent& kept) {
  KeptAgent copy = kept;              // the archive takes what it may also fill
  Writer body;
  body.put(copy);
  Writer head;
  head.bytes = magic;
  head(state_version, body.bytes.size(), crc32c(body.bytes));
  return {head.bytes + body.bytes, std::move(body.descriptors)};
}

Result<Decoded> decode(std::string_view bytes) {
  if (bytes.size() < head_bytes || !bytes.starts_with(magic)) return Error(Errc::invalid, "the state of the agent before is cut, or none");
  std::uint64_t version = 0, length = 0, sum = 0;
  Reader head(bytes.substr(magic.size(), head_bytes - magic.size()));
  head(version, length, sum);
  if (version != state_version)
    return Error(Errc::unsupported, "the state of the agent before has version " + std::to_string(version) + "; this build reads " +
                                        std::to_string(state_version));
  const std::string_view body = bytes.substr(head_bytes);
  if (body.size() != length || body.size() > max_state_bytes || crc32c(body) != sum)
    return Error(Errc::invalid, "the state of the agent before is cut or damaged");
  Decoded decoded;
  Reader reader(body);
  reader.get(decoded.kept);
  if (reader.failed() || !has_known_words(decoded.kept))
    return Error(Errc::invalid, "the state of the agent before makes no sense to this build");
  decoded.descriptors = std::move(reader.descriptors);
  return decoded;
}

}  // namespace vigil::guest::upgrade
