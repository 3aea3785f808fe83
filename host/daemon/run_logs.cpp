#include "host/daemon/run_logs.hpp"

#include "host/async/read_some.hpp"
#include "shared/protocol/state.hpp"
#include "shared/streams/opening.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace vigil::daemon {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using streams::Channel;

namespace {

constexpr std::chrono::milliseconds opening_deadline{10'000}, held_for{300};
constexpr std::chrono::seconds first_retry{1}, longest_retry{60};
constexpr MonoUs tell_lost_every_us = 60'000'000, rate_is_why_for_us = 5'000'000;
constexpr std::size_t max_told = 16;             // services a time
constexpr auto read_result = asio::as_tuple(asio::use_awaitable);

}  // namespace

RunLogs::RunLogs(RunHost& host, Setup setup, std::function<void(machine::LogsLost)> lost)
    : host_(host),
      setup_(std::move(setup)),
      lost_(std::move(lost)),
      spool_(setup_.directory, host.log_limits),
      rate_(host.log_limits.bytes_per_second, host.clock.mono_us()),
      wanted_(host.io.get_executor()),
      stream_ended_(host.io.get_executor()),
      pause_(host.io),
      hold_(host.io) {}

void RunLogs::link_up() {
    if (!std::exchange(link_is_up_, true)) wanted_.notify();
}

asio::awaitable<void> RunLogs::follow() {
    auto retry = first_retry;
    while (!refused_) {
        co_await wanted_.wait();
        while (link_is_up_ && !ending_ && !refused_) {
            const bool went_well = co_await follow_once();
            retry = went_well ? first_retry : std::min(retry * 2, longest_retry);
            if (link_is_up_ && !ending_) co_await pause(retry);
        }
    }
}

/// False: it makes no sense to come back soon.
asio::awaitable<bool> RunLogs::follow_once() {
    const auto limit = opening_deadline * protocol::deadline_scale(host_.accelerator.accelerator);
    std::string nothing_first;
    auto opened = co_await streams::open_guest_stream(setup_.dial, opening(), limit, std::move(nothing_first));
    if (!opened) {
        refused_ = opened.error().code() == Errc::unsupported;
        spdlog::warn("logs.not_followed vm={} run={} err=\"{}\"", setup_.id.value(), setup_.run.value(), opened.error().message());
        co_return opened.error().code() == Errc::unavailable;
    }
    const auto facts = streams::log_facts(opened->facts_json);
    if (!facts) {
        spdlog::warn("logs.not_followed vm={} run={} err=\"{}\"", setup_.id.value(), setup_.run.value(), facts.error().message());
        co_return false;
    }
    spool_.use_boot(*facts);
    part_.reset();
    inputs_.clear();
    stream_is_open_ = true;
    auto stream = std::move(*opened);
    co_await read_stream(std::move(stream));
    flush_held();
    stream_is_open_ = false;
    stream_ended_.notify();
    co_return true;
}

std::string RunLogs::opening() const {
    streams::LogFollowOpening wanted;
    wanted.boot = spool_.boot();
    for (const auto& [service, position] : spool_.positions()) wanted.from[service] = {position.out, position.err};
    return streams::encode(wanted);
}

asio::awaitable<void> RunLogs::read_stream(streams::GuestStream stream) {
    asio::local::stream_protocol::socket socket(host_.io);
    socket.assign(asio::local::stream_protocol(), stream.fd.release());
    streams::ChunkReader chunks;
    chunks.feed(stream.unread);
    for (;;) {
        for (;;) {
            const auto chunk = chunks.next();
            if (chunk && !*chunk) break;
            if (chunk && take(**chunk)) continue;
            spdlog::warn("logs.stream_broken vm={} run={} err=\"{}\"", setup_.id.value(), setup_.run.value(), chunk ? "chunks that do not fit" : chunk.error().message());
            co_return;
        }
        auto got = co_await async::read_some(socket);
        if (got.failure) co_return;
        chunks.feed(got.bytes);
        const auto wait = rate_.take(got.bytes.size(), host_.clock.mono_us());
        if (wait == 0us || ending_) continue;
        paused_us_ = host_.clock.mono_us();
        co_await pause(wait);
    }
}

asio::awaitable<void> RunLogs::pause(std::chrono::microseconds duration) {
    pause_.expires_after(duration);
    co_await pause_.async_wait(read_result);
}

asio::awaitable<void> RunLogs::drained(std::chrono::milliseconds limit) {
    ending_ = true;
    pause_.cancel();
    for (bool in_time = true; in_time && stream_is_open_;) in_time = co_await stream_ended_.wait_for(limit);
    flush_held();
    tell_lost();
}

bool RunLogs::take(const streams::Chunk& chunk) {
    if (chunk.channel == Channel::control) {
        if (chunk.is_end()) return true;
        const auto control = streams::decode_control(chunk.bytes);
        if (!control) return control.error().code() == Errc::unsupported;
        const auto* part = std::get_if<streams::LogPart>(&*control);
        if (part == nullptr || part->bytes == 0) return true;
        if (part_) return false;
        part_ = *part;
        return true;
    }
    if (!part_ || part_->channel != chunk.channel || part_->bytes != chunk.bytes.size()) return false;
    const auto part = std::move(*part_);
    part_.reset();
    take_bytes(part, chunk.bytes);
    return true;
}

void RunLogs::take_bytes(const streams::LogPart& part, std::string_view bytes) {
    const Key key{part.service, part.channel == Channel::out ? logs::LogStream::out : logs::LogStream::err};
    auto found = inputs_.find(key);
    if (found == inputs_.end()) {
        if (inputs_.size() >= 2 * host_.log_limits.services) return note_lost(part.service, {bytes.size(), "services"});
        found = inputs_.emplace(key, Input{logs::Masker(setup_.secrets), part.offset}).first;
    }
    auto& input = found->second;
    const UnixUs now = host_.clock.unix_us(), at = now - std::min(now, part.age_us);
    if (part.offset != input.end) write(key, input.end - input.masker.held(), input.masker.flush(), at);
    const auto begin = part.offset - input.masker.held();
    input.end = part.offset + bytes.size();
    write(key, begin, input.masker.feed(bytes), at);
    if (input.masker.held() > 0) flush_held_later();
}

void RunLogs::write(const Key& key, std::uint64_t offset, std::string_view bytes, UnixUs at) {
    if (bytes.empty()) return;
    const bool was_paused = paused_us_ != 0 && host_.clock.mono_us() < paused_us_ + rate_is_why_for_us;
    const logs::Write record{ServiceName(key.first), key.second, offset, bytes, at, was_paused ? "rate" : "guest"};
    const auto lost = spool_.append(record);
    if (lost.bytes != 0) note_lost(key.first, lost);
    host_.log_hub.notify({setup_.id, setup_.run});
}

/// What could have been the beginning of a secret, and then nothing came.
void RunLogs::flush_held() {
    for (auto& [key, input] : inputs_) {
        const auto begin = input.end - input.masker.held();
        write(key, begin, input.masker.flush(), host_.clock.unix_us());
    }
}

void RunLogs::flush_held_later() {
    hold_.expires_after(held_for);
    hold_.async_wait([this, alive = std::weak_ptr<int>(alive_)](boost::system::error_code stopped) {
        if (!stopped && !alive.expired()) flush_held();
    });
}

void RunLogs::note_lost(const std::string& service, const logs::Lost& lost) {
    auto& untold = untold_[{untold_.size() < 2 * max_told ? service : std::string(), lost.why}];
    untold = std::min<std::uint64_t>(untold + lost.bytes, 1ULL << 52);
    const auto now = host_.clock.mono_us();
    if (told_us_ == 0 || now >= told_us_ + tell_lost_every_us) tell_lost();
}

void RunLogs::tell_lost() {
    if (untold_.empty()) return;
    told_us_ = host_.clock.mono_us();
    for (const auto& [what, bytes] : std::exchange(untold_, {})) {
        spdlog::warn("logs.lost vm={} run={} svc={} bytes={} why={}", setup_.id.value(), setup_.run.value(), what.first, bytes, what.second);
        lost_(machine::LogsLost{what.first, bytes, what.second});
    }
}

}  // namespace vigil::daemon
