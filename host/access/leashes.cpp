#include "host/access/leashes.hpp"

#include <utility>
#include <vector>

namespace vigil::access {

namespace {
constexpr std::size_t look_after = 64;   // more than twice as many as after the last look, and so many
}  // namespace

void Leashes::hold(const std::string& token, const std::shared_ptr<async::Leash>& leash) {
  if (leash == nullptr) return;
  if (held_.size() >= look_after + 2 * looked_at_) forget_ended();
  held_.emplace(token, leash);
}

void Leashes::forget_ended() {
  std::erase_if(held_, [](const auto& each) { return each.second.expired(); });
  looked_at_ = held_.size();
}

std::size_t Leashes::end(const std::string& token) {
  std::vector<std::shared_ptr<async::Leash>> alive;   // what is cut may ask for something itself
  const auto [first, last] = held_.equal_range(token);
  for (auto each = first; each != last; ++each)
    if (auto leash = each->second.lock()) alive.push_back(std::move(leash));
  held_.erase(first, last);
  std::size_t ended = 0;
  for (const auto& leash : alive) {
    if (leash->goes_on()) ++ended;
    leash->cut();   // also of a request that has no answer yet
  }
  return ended;
}

}  // namespace vigil::access
