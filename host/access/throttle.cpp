#include "host/access/throttle.hpp"

#include <algorithm>
#include <cmath>

namespace vigil::access {

unsigned Throttle::ask(const std::string& key, const Allowance& allowance, MonoUs now) {
    if (buckets_.size() >= max_buckets && !buckets_.contains(key)) {
        std::erase_if(buckets_, [&](const auto& each) { return each.second.full_at <= now; });
        if (buckets_.size() >= max_buckets) return 1;
    }
    const auto [found, is_new] = buckets_.try_emplace(key, Bucket{allowance.burst, now, now});
    auto& bucket = found->second;
    const double passed_s = static_cast<double>(now - std::min(now, bucket.at)) / 1e6;
    bucket.left = std::min(allowance.burst, bucket.left + passed_s * allowance.per_second);
    bucket.at = now;
    const bool let_through = bucket.left >= 1;
    if (let_through) bucket.left -= 1;
    bucket.full_at = now + static_cast<MonoUs>((allowance.burst - bucket.left) / allowance.per_second * 1e6);
    if (let_through) return 0;
    return static_cast<unsigned>(std::max(1.0, std::ceil((1 - bucket.left) / allowance.per_second)));
}

}  // namespace vigil::access
