#include "host/logs/log_view.hpp"

#include <algorithm>
#include <utility>

namespace vigil::logs {

namespace {
constexpr int records_per_step = 64;

std::size_t index_of(LogStream stream) { return stream == LogStream::err ? 1 : 0; }
}

LogView::LogView(std::filesystem::path directory, LogQuery query)
    : directory_(std::move(directory)), query_(std::move(query)), counting_(query_.tail.has_value()) {
    find_services();
}

void LogView::find_services() {
    for (const auto& found : list_logs(directory_)) {
        if (!query_.service.empty() && found.service != query_.service) continue;
        if (sources_.contains(found.service)) continue;
        sources_.emplace(found.service, Source{LogReader(directory_, found.service), std::nullopt, {}});
        if (counting_) counts_.emplace(found.service, Count{LogReader(directory_, found.service), {}, {}});
    }
}

/// What is damaged is told as output of our own, in its place.
std::optional<LogRecord> LogView::read(LogReader& reader) const {
    for (;;) {
        auto record = reader.next();
        if (!record) return LogRecord{query_.since_unix_us, reader.service(), LogStream::err, 0, "[vigil: " + record.error().message() + "]\n", 0, ""};
        if (!*record || (*record)->at_unix_us >= query_.since_unix_us) return std::move(*record);
    }
}

void LogView::count_some() {
    if (counts_.empty()) {
        counting_ = false;
        return;
    }
    const auto current = counts_.begin();
    auto& count = current->second;
    for (int i = 0; i < records_per_step; ++i) {
        const auto record = read(count.reader);
        if (!record) {
            for (const std::size_t stream : {0U, 1U}) {
                const auto lines = count.lines[stream] + (count.in_line[stream] ? 1U : 0U);
                sources_.at(current->first).lines_to_skip[stream] = lines - std::min(lines, *query_.tail);
            }
            counts_.erase(current);
            counting_ = !counts_.empty();
            return;
        }
        const auto stream = index_of(record->stream);
        count.lines[stream] += static_cast<std::uint64_t>(std::count(record->bytes.begin(), record->bytes.end(), '\n'));
        if (!record->bytes.empty()) count.in_line[stream] = record->bytes.back() != '\n';
    }
}

/// False: nothing of it is left.
bool LogView::skip_lines(Source& source) {
    auto& record = *source.ahead;
    auto& to_skip = source.lines_to_skip[index_of(record.stream)];
    std::size_t at = 0;
    while (to_skip > 0 && at < record.bytes.size()) {
        const auto newline = record.bytes.find('\n', at);
        if (newline == std::string::npos) return false;
        at = newline + 1;
        --to_skip;
    }
    if (at == 0) return true;
    record.bytes.erase(0, at);
    record.offset += at;
    record.lost = 0;
    return !record.bytes.empty();
}

void LogView::look_ahead(Source& source) const {
    while (!source.ahead) {
        source.ahead = read(source.reader);
        if (!source.ahead) return;
        if (source.lines_to_skip[index_of(source.ahead->stream)] > 0 && !skip_lines(source)) source.ahead.reset();
    }
}

std::optional<LogRecord> LogView::next() {
    for (const bool again : {false, true}) {
        Source* earliest = nullptr;
        for (auto& [service, source] : sources_) {
            look_ahead(source);
            if (source.ahead && (earliest == nullptr || source.ahead->at_unix_us < earliest->ahead->at_unix_us)) earliest = &source;
        }
        if (earliest != nullptr) return std::exchange(earliest->ahead, std::nullopt);
        if (!again) find_services();
    }
    return std::nullopt;
}

}  // namespace vigil::logs
