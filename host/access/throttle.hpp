// How much one caller may ask of one class: a bucket that fills at a rate up to a burst. Pure: the caller brings the time.
#pragma once

#include "shared/base/clock.hpp"

#include <cstdint>
#include <map>
#include <string>

namespace vigil::access {

struct Allowance {
    double per_second = 0;
    double burst = 0;
};

class Throttle {
  public:
    /// 0: go on. Else whole seconds until the next one would be let through, at least 1.
    unsigned ask(const std::string& key, const Allowance& allowance, MonoUs now);
    std::size_t size() const { return buckets_.size(); }

  private:
    static constexpr std::size_t max_buckets = 4096;
    struct Bucket {
        double left = 0;
        MonoUs at = 0, full_at = 0;
    };
    std::map<std::string, Bucket> buckets_;       // those that are full again are forgotten when there are many
};

}  // namespace vigil::access
