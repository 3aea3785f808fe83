#include "host/egress/refusal_teller.hpp"

#include <algorithm>
#include <utility>

namespace vigil::egress {

namespace {
constexpr MonoUs minute_us = 60'000'000;
}

std::optional<std::uint64_t> RefusalTeller::happened(const protocol::Cause& cause, MonoUs now) {
    while (!recent_.empty() && recent_.front() + minute_us <= now) recent_.pop_front();
    const auto key = cause.text + " " + protocol::field_text(cause, "host").value_or("");
    if (kept_.size() >= max_kept && !kept_.contains(key))
        kept_.erase(std::ranges::min_element(kept_, {}, [](const auto& entry) { return entry.second.told; }));
    const bool is_new = !kept_.contains(key);
    auto& kept = kept_[key];
    ++kept.since;
    if (recent_.size() >= max_a_minute || (!is_new && kept.told != 0 && kept.told + quiet_us > now)) return std::nullopt;
    kept.told = std::max<MonoUs>(now, 1);
    recent_.push_back(now);
    return std::exchange(kept.since, 0);
}

}  // namespace vigil::egress
