// The answers that go on by right of a token, so that they end with it.
//
// Shape:  hold() remembers a request's leash weakly; end() cuts all of one token and says how many. What has ended by itself is forgotten as others come.
// Thread: the event thread.
#pragma once

#include "host/async/leash.hpp"

#include <cstddef>
#include <map>
#include <memory>
#include <string>

namespace vigil::access {

class Leashes {
public:
  void hold(const std::string& token, const std::shared_ptr<async::Leash>& leash);
  std::size_t end(const std::string& token);
  std::size_t size() const { return held_.size(); }

private:
  void forget_ended();

  std::multimap<std::string, std::weak_ptr<async::Leash>> held_;
  std::size_t looked_at_ = 0;  // how many there were after the last look for ended ones
};

}  // namespace vigil::access
