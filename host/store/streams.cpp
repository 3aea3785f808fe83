#include "host/store/streams.hpp"

#include <algorithm>
#include <charconv>

namespace vigil::store {

namespace {

constexpr std::size_t max_gaps = 64;
constexpr std::size_t max_partials = 1024;

bool read_number(std::string_view& text, Seq& value) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
  return true;
}

bool read_char(std::string_view& text, char expected) {
  if (text.empty() || text.front() != expected) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

bool Gaps::holds(Seq seq) const {
  const auto after = ranges_.upper_bound(seq);
  return after != ranges_.begin() && std::prev(after)->second >= seq;
}

void Gaps::add(Seq first, Seq last) {
  if (first > last) return;
  ranges_[first] = last;
  if (ranges_.size() > max_gaps) ranges_.erase(ranges_.begin());
}

void Gaps::remove(Seq first, Seq last) {
  std::map<Seq, Seq> rest;
  for (const auto& [low, high] : ranges_) {
    if (high < first || low > last) {
      rest.emplace(low, high);
      continue;
    }
    if (low < first) rest.emplace(low, first - 1);
    if (high > last) rest.emplace(last + 1, high);
  }
  while (rest.size() > max_gaps) rest.erase(rest.begin());
  ranges_ = std::move(rest);
}

std::uint64_t Gaps::count() const {
  std::uint64_t sum = 0;
  for (const auto& [low, high] : ranges_) sum += high - low + 1;
  return sum;
}

std::string Gaps::to_text() const {
  std::string text;
  for (const auto& [low, high] : ranges_) text += (text.empty() ? "" : " ") + std::to_string(low) + "-" + std::to_string(high);
  return text;
}

Result<Gaps> Gaps::parse(std::string_view text) {
  Gaps gaps;
  const Error malformed(Errc::io, "a stream's gaps are not ranges: " + std::string(text.substr(0, 64)));
  while (!text.empty()) {
    Seq low = 0, high = 0;
    if (!gaps.ranges_.empty() && !read_char(text, ' ')) return malformed;
    if (!read_number(text, low) || !read_char(text, '-') || !read_number(text, high) || low > high) return malformed;
    gaps.ranges_[low] = high;
  }
  return gaps;
}

std::string boot8(const BootId& boot) { return boot.value().substr(0, 8); }

Offer Stream::take_full(Seq seq, std::uint64_t& replaced) {
  if (knows(seq)) return Offer::known;
  if (seq > last) {
    gaps.add(last + 1, seq - 1);
    last = seq;
  } else {
    gaps.remove(seq, seq);
  }
  const auto partial = partials.find(seq);
  replaced = partial == partials.end() ? 0 : partial->second;
  if (partial != partials.end()) partials.erase(partial);
  return Offer::fresh;
}

Offer Stream::offer_partial(Seq seq) const {
  if (knows(seq) || partials.contains(seq)) return Offer::known;
  return partials.size() >= max_partials ? Offer::too_many : Offer::fresh;
}

Offer Stream::take_partial(Seq seq, std::uint64_t event) {
  const auto offer = offer_partial(seq);
  if (offer == Offer::fresh) partials.emplace(seq, event);
  return offer;
}

}  // namespace vigil::store
