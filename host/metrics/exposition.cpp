#include "host/metrics/exposition.hpp"

#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace vigil::metrics {

namespace {

std::string_view kind_text(Kind kind) {
    switch (kind) {
        case Kind::counter: return "counter";
        case Kind::gauge: return "gauge";
        case Kind::histogram: return "histogram";
    }
    std::abort();
}

std::string number_text(double value) {
    std::array<char, 40> text;
    const bool is_whole = std::floor(value) == value && std::abs(value) < 9e15;
    std::snprintf(text.data(), text.size(), is_whole ? "%.0f" : "%.9g", value);
    return text.data();
}

void add_escaped(std::string& to, std::string_view text) {
    for (const char each : text) {
        if (each == '\\' || each == '"') to += '\\';
        if (each == '\n') to += "\\n";
        else to += each;
    }
}

}  // namespace

void Exposition::family(std::string_view name, Kind kind, std::string_view help) {
    name_ = name;
    text_ += "# HELP " + name_ + ' ' + std::string(help) + "\n# TYPE " + name_ + ' ' + std::string(kind_text(kind)) + '\n';
}

void Exposition::sample(double value, const Labels& labels) { line("", labels, value); }

void Exposition::sample(const Histogram& histogram, const Labels& labels) {
    std::uint64_t below = 0;
    for (std::size_t bucket = 0; bucket <= Histogram::bounds.size(); ++bucket) {
        below += histogram.in_bucket(bucket);
        auto with_bound = labels;
        with_bound.emplace_back("le", bucket < Histogram::bounds.size() ? number_text(Histogram::bounds[bucket]) : "+Inf");
        line("_bucket", with_bound, static_cast<double>(below));
    }
    line("_sum", labels, histogram.sum());
    line("_count", labels, static_cast<double>(histogram.count()));
}

void Exposition::line(std::string_view suffix, const Labels& labels, double value) {
    text_ += name_;
    text_ += suffix;
    char separator = '{';
    for (const auto& [name, label] : labels) {
        text_ += separator;
        text_ += std::string(name) + "=\"";
        add_escaped(text_, label);
        text_ += '"';
        separator = ',';
    }
    if (separator == ',') text_ += '}';
    text_ += ' ' + number_text(value) + '\n';
}

}  // namespace vigil::metrics
