#include "host/access/leashes.hpp"

#include <utility>
#include <vector>

namespace vigil::access {

namespace {
constexpr std::size_t look_after = 64;   // more than twice as many as after the last look, and so many
}  // namespace

void Leashes::hold(const std::string& token, const std::shared_ptr<async::Leash>& leash, std::optional<UnixUs> expires) {
  if (leash == nullptr) return;
  if (held_.size() >= look_after + 2 * looked_at_) forget_ended();
  held_.emplace(token, leash);
  if (expires && expiries_.emplace(token, *expires).second) by_date_.emplace(*expires, token);
}

void Leashes::forget_ended() {
  std::erase_if(held_, [](const auto& each) { return each.second.expired(); });
  looked_at_ = held_.size();
  std::vector<std::string> gone;
  for (const auto& [token, expires] : expiries_)
    if (!held_.contains(token)) gone.push_back(token);
  for (const auto& token : gone) forget_expiry(token);
}

void Leashes::forget_expiry(const std::string& token) {
  const auto known = expiries_.find(token);
  if (known == expiries_.end()) return;
  by_date_.erase({known->second, token});
  expiries_.erase(known);
}

std::optional<UnixUs> Leashes::next_expiry() const { return by_date_.empty() ? std::nullopt : std::optional(by_date_.begin()->first); }

std::map<std::string, std::size_t> Leashes::end_expired(UnixUs now) {
  std::map<std::string, std::size_t> ended;
  while (!by_date_.empty() && by_date_.begin()->first <= now) {
    const std::string token = by_date_.begin()->second;
    ended[token] = end(token);
  }
  return ended;
}

std::size_t Leashes::end(const std::string& token) {
  std::vector<std::shared_ptr<async::Leash>> alive;   // what is cut may ask for something itself
  const auto [first, last] = held_.equal_range(token);
  for (auto each = first; each != last; ++each)
    if (auto leash = each->second.lock()) alive.push_back(std::move(leash));
  held_.erase(first, last);
  forget_expiry(token);
  std::size_t ended = 0;
  for (const auto& leash : alive) {
    if (leash->goes_on()) ++ended;
    leash->cut();   // also of a request that has no answer yet
  }
  return ended;
}

}  // namespace vigil::access
