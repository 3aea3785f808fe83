// Prometheus' text format, version 0.0.4: one family after the other, each with its help and type.
//
// Source: https://prometheus.io/docs/instrumenting/exposition_formats/
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vigil::metrics {

/// How often something took so long. Buckets from 1 ms to 5 minutes.
class Histogram {
  public:
    static constexpr std::array<double, 14> bounds = {0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300};

    void observe(double seconds) {
        std::size_t bucket = 0;
        while (bucket < bounds.size() && seconds > bounds[bucket]) ++bucket;
        ++counts_[bucket];
        ++count_;
        sum_ += seconds;
    }
    std::uint64_t count() const { return count_; }
    double sum() const { return sum_; }
    std::uint64_t in_bucket(std::size_t bucket) const { return counts_[bucket]; }

  private:
    std::array<std::uint64_t, bounds.size() + 1> counts_{};
    std::uint64_t count_ = 0;
    double sum_ = 0;
};

enum class Kind { counter, gauge, histogram };
using Labels = std::vector<std::pair<std::string_view, std::string>>;

class Exposition {
  public:
    /// Samples that follow are of this family.
    void family(std::string_view name, Kind kind, std::string_view help);
    void sample(double value, const Labels& labels = {});
    void sample(const Histogram& histogram, const Labels& labels = {});
    std::string take() { return std::move(text_); }

  private:
    void line(std::string_view suffix, const Labels& labels, double value);
    std::string name_, text_;
};

}  // namespace vigil::metrics
