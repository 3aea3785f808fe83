#include "guest/streams/log_follow.hpp"

#include <algorithm>
#include <chrono>

namespace vigil::guest::streams {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t max_waiting = 32 * 1024, max_part = 16 * 1024;
constexpr auto pause_between = 10ms;

std::string names_in(const std::map<std::string, process::OutputLog>& logs) {
  std::string names;
  for (const auto& each : logs) names += (names.empty() ? "" : ", ") + each.first;
  return names.empty() ? "none yet" : names;
}

}  // namespace

std::unique_ptr<Operation> LogFollow::open(EventLoop& loop, Stream& stream, process::OutputLogs& logs, const LogFollowOpening& opening) {
  if (opening.service.empty() || logs.all().contains(opening.service)) return std::make_unique<LogFollow>(loop, stream, logs, opening);
  stream.refuse(Error(Errc::not_found, "no service " + opening.service + " has run in this VM; there are: " + names_in(logs.all())));
  return nullptr;
}

LogFollow::LogFollow(EventLoop& loop, Stream& stream, process::OutputLogs& logs, const LogFollowOpening& opening)
    : loop_(loop), stream_(stream), logs_(logs), wanted_(opening.service), follow_(opening.follow), place_(logs.follow([this](std::size_t bytes) { grew(bytes); })) {
  if (opening.boot == logs.boot()) positions_ = opening.from;
  stream_.limit_room(max_waiting);
  stream_.accept("{\"boot\":\"" + logs.boot() + "\"}");
  push();
}

LogFollow::LogFollow(EventLoop& loop, Stream& stream, process::OutputLogs& logs, const KeptLogFollow& kept)
    : loop_(loop), stream_(stream), logs_(logs), wanted_(kept.service), follow_(kept.follow), positions_(kept.positions), turn_(kept.turn), sent_(kept.sent), over_(kept.over),
      place_(logs.follow([this](std::size_t bytes) { grew(bytes); })) {
  stream_.limit_room(max_waiting);
  push();
}

/// At once, unless it has just been done: then after a pause, or when half of a tail would be lost before.
void LogFollow::grew(std::size_t bytes) {
  waiting_ += bytes;
  const bool rested = loop_.now_us() >= pushed_us_ + static_cast<MonoUs>(std::chrono::microseconds(pause_between).count());
  if (rested || waiting_ >= process::OutputTail::capacity / 2) return push();
  if (!pause_) pause_ = loop_.after(pause_between, [this] { push(); });
}

void LogFollow::push() {
  pause_.cancel();
  if (over_) return;
  pushed_us_ = loop_.now_us();
  waiting_ = 0;
  bool more = true;
  while (more && stream_.has_room()) {
    more = false;
    auto& all = logs_.all();
    auto each = all.upper_bound(turn_);
    for (std::size_t left = all.size(); left > 0 && stream_.has_room(); --left, ++each) {
      if (each == all.end()) each = all.begin();
      turn_ = each->first;
      more |= is_wanted(each->first) && push_service(each->first, each->second);
    }
  }
  if (more) return;
  if (follow_) return release_spent();
  over_ = true;
  stream_.finish(Done{sent_});
}

bool LogFollow::push_service(const std::string& name, process::OutputLog& log) {
  auto& position = positions_[name];
  const bool out = push_part(name, Channel::out, log.out, position.out);
  return push_part(name, Channel::err, log.err, position.err) || out;
}

bool LogFollow::push_part(const std::string& name, Channel channel, const process::OutputTail& tail, std::uint64_t& position) {
  if (position >= tail.end()) {
    position = tail.end();                 // never behind a position that was never reached
    return false;
  }
  const auto piece = tail.read(position, max_part);
  const MonoUs now = loop_.now_us();
  LogPart part{name, channel, piece.offset, piece.bytes.size(), piece.offset - position, 0};
  if (piece.at_us != 0) part.age_us = now - std::min(now, piece.at_us);
  stream_.tell(part);
  if (!piece.bytes.empty()) stream_.send(channel, piece.bytes);
  position = piece.offset + piece.bytes.size();
  sent_ += piece.bytes.size();
  return true;
}

void LogFollow::release_spent() {
  if (logs_.followers() != 1 || !stream_.has_room()) return;
  for (auto& [name, log] : logs_.all()) {
    const auto& position = positions_[name];
    if (log.live || position.out < log.out.end() || position.err < log.err.end()) continue;
    log.out.release();
    log.err.release();
  }
}

}  // namespace vigil::guest::streams
