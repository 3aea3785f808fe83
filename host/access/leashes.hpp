// The answers that go on by right of a token, so that they end with it.
//
// Shape:  hold() remembers a request's leash weakly; end() cuts all of one token and says how many. What has ended by itself is forgotten as others come.
// Thread: the event thread.
#pragma once

#include "host/async/leash.hpp"
#include "shared/base/clock.hpp"

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace vigil::access {

class Leashes {
public:
  /// `expires`: of the token; nullopt: never.
  void hold(const std::string& token, const std::shared_ptr<async::Leash>& leash, std::optional<UnixUs> expires = std::nullopt);
  std::size_t end(const std::string& token);
  /// Of the tokens by whose right something may go on.
  std::optional<UnixUs> next_expiry() const;
  /// As end(), of every token that is over by then. Which, and how many answers each.
  std::map<std::string, std::size_t> end_expired(UnixUs now);
  std::size_t size() const { return held_.size(); }

private:
  void forget_ended();
  void forget_expiry(const std::string& token);

  std::multimap<std::string, std::weak_ptr<async::Leash>> held_;
  std::map<std::string, UnixUs> expiries_;  // of tokens in held_
  std::set<std::pair<UnixUs, std::string>> by_date_;  // the same
  std::size_t looked_at_ = 0;  // how many there were after the last look for ended ones
};

}  // namespace vigil::access
