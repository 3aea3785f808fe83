#include "host/logs/log_reader.hpp"

#include "shared/base/ids.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace vigil::logs {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t block_bytes = 64 << 10;
constexpr std::string_view suffix = ".log";

std::optional<FoundLog> understand(const fs::path& path) {
    const std::string name = path.filename().string();
    FoundLog found{path, "", std::nullopt};
    std::string_view rest = name;
    if (!rest.ends_with(suffix)) {
        const auto dot = rest.rfind('.');
        if (dot == rest.npos) return std::nullopt;
        std::uint64_t generation = 0;
        const auto digits = rest.substr(dot + 1);
        const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), generation);
        if (failure != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
        found.generation = generation;
        rest = rest.substr(0, dot);
    }
    if (!rest.ends_with(suffix)) return std::nullopt;
    rest.remove_suffix(suffix.size());
    if (!parse_service_name(rest)) return std::nullopt;
    found.service = rest;
    return found;
}

}  // namespace

std::vector<FoundLog> list_logs(const fs::path& directory) {
    std::vector<FoundLog> logs;
    std::error_code failure;
    for (fs::directory_iterator each(directory, failure), end; !failure && each != end; each.increment(failure))
        if (auto found = understand(each->path())) logs.push_back(std::move(*found));
    return logs;
}

// ---- one file ----

Result<void> LogFile::open() {
    fill(max_header_bytes);
    const auto end = buffer_.find('\n');
    if (end == std::string::npos) return Error(Errc::invalid, "the log has no first line");
    TRY(header, decode_file_header(std::string_view(buffer_).substr(0, end)));
    header_ = std::move(header);
    used_ = end + 1;
    at_ = used_;
    return {};
}

/// False when the file has not as many more bytes.
bool LogFile::fill(std::size_t wanted) {
    while (buffer_.size() - used_ < wanted) {
        if (used_ > 0) buffer_.erase(0, std::exchange(used_, 0));
        const std::size_t had = buffer_.size();
        buffer_.resize(had + std::max(block_bytes, wanted - had));
        const ssize_t count = ::pread(file_.get(), buffer_.data() + had, buffer_.size() - had, static_cast<off_t>(at_ + had));
        buffer_.resize(had + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
        if (count <= 0) return false;
    }
    return true;
}

Result<std::optional<StoredRecord>> LogFile::next() {
    auto end = buffer_.find('\n', used_);
    if (end == std::string::npos) {
        fill(max_header_bytes);
        end = buffer_.find('\n', used_);
        if (end == std::string::npos && buffer_.size() - used_ >= max_header_bytes) return Error(Errc::invalid, "a record has no first line");
        if (end == std::string::npos) return std::optional<StoredRecord>();
    }
    TRY(header, decode_record_header(std::string_view(buffer_).substr(used_, end - used_)));
    const std::size_t head = end + 1 - used_, whole = head + header.length + 1;
    if (!fill(whole)) return std::optional<StoredRecord>();
    if (buffer_[used_ + whole - 1] != '\n') return Error(Errc::invalid, "a record does not end where it says");
    StoredRecord record{header, buffer_.substr(used_ + head, header.length)};
    used_ += whole;
    at_ += whole;
    return std::optional(std::move(record));
}

// ---- one service ----

LogReader::LogReader(fs::path directory, std::string service) : directory_(std::move(directory)), service_(std::move(service)) {}

/// The youngest file has been given another name, or is gone: there is, or will be, another one.
bool LogReader::has_been_set_aside() const {
    struct stat ours{}, current{};
    if (::fstat(file_->fd(), &ours) != 0) return true;
    if (::stat((directory_ / (service_ + ".log")).c_str(), &current) != 0) return true;
    return ours.st_ino != current.st_ino || ours.st_dev != current.st_dev;
}

/// The oldest file that is younger than the one before.
bool LogReader::open_next() {
    std::optional<FoundLog> oldest;
    bool has_current = false;
    for (auto& found : list_logs(directory_)) {
        if (found.service != service_) continue;
        if (!found.generation) has_current = true;
        else if (*found.generation > generation_ && (!oldest || *found.generation < *oldest->generation)) oldest = std::move(found);
    }
    if (!oldest && !has_current) return false;
    const auto path = oldest ? oldest->path : directory_ / (service_ + ".log");
    UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file) return false;
    LogFile next(std::move(file));
    const auto opened = next.open();
    if (opened && next.header().generation <= generation_) return false;
    if (!opened && !oldest) return false;
    generation_ = opened ? next.header().generation : *oldest->generation;
    if (!opened) return open_next();
    if (next.header().boot != boot_) next_out_ = next_err_ = 0;
    boot_ = next.header().boot;
    file_.emplace(std::move(next));
    return true;
}

Result<std::optional<LogRecord>> LogReader::next() {
    for (;;) {
        if (!file_ && !open_next()) return std::optional<LogRecord>();
        auto stored = file_->next();
        if (!stored) {
            const auto place = service_ + ".log, file " + std::to_string(generation_) + " at byte " + std::to_string(file_->position());
            const Error error(stored.error().code(), place + ": " + stored.error().message());
            file_.reset();
            return error;
        }
        if (*stored) {
            if (auto record = take(std::move(**stored))) return record;
            continue;
        }
        if (!has_been_set_aside()) return std::optional<LogRecord>();
        file_.reset();
    }
}

std::optional<LogRecord> LogReader::take(StoredRecord stored) {
    const auto& header = stored.header;
    const bool is_out = header.stream == LogStream::out;
    auto& why = is_out ? why_out_ : why_err_;
    if (header.is_gap) {
        if (const auto gap = decode_gap(stored.bytes)) why = gap->why;
        return std::nullopt;
    }
    auto& next = is_out ? next_out_ : next_err_;
    LogRecord record{header.at_unix_us, service_, header.stream, header.offset, std::move(stored.bytes), 0, ""};
    if (header.offset > next) {
        record.lost = header.offset - next;
        record.why = why.empty() ? "rotated" : why;
    }
    why.clear();
    next = header.offset + record.bytes.size();
    return record;
}

}  // namespace vigil::logs
