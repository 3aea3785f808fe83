#include "host/logs/spool.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace vigil::logs {

namespace fs = std::filesystem;

namespace {

std::uint64_t& next_of(StreamPosition& position, LogStream stream) { return stream == LogStream::out ? position.out : position.err; }

}  // namespace

LogSpool::LogSpool(fs::path directory, LogLimits limits) : directory_(std::move(directory)), limits_(limits) {
    for (const auto& file : list_logs(directory_)) {
        if (file.generation) load_older(file.path, file.service, *file.generation);
        else load(file.path, file.service);
    }
    for (auto& [service, log] : logs_)
        if (!log.file && !log.older.empty()) load_end_of_older(service, log);
}

/// Goes on behind the last whole record; what follows it was being written when a daemon died.
void LogSpool::load(const fs::path& path, const std::string& service) {
    UniqueFd file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (!file) return;
    LogFile reader(UniqueFd(::fcntl(file.get(), F_DUPFD_CLOEXEC, 0)));
    if (!reader.open()) {
        fs::rename(path, path.string() + ".damaged");   // kept for whoever wants to look; the next record makes a new one
        return;
    }
    auto& log = logs_[service];
    log.header = reader.header();
    boot_ = log.header.boot;
    read_to_end(reader, log);
    log.file_bytes = reader.position();
    if (::ftruncate(file.get(), static_cast<off_t>(log.file_bytes)) != 0) return;
    ::lseek(file.get(), static_cast<off_t>(log.file_bytes), SEEK_SET);
    log.file = std::move(file);
    total_ += log.file_bytes;
}

void LogSpool::read_to_end(LogFile& file, Log& log) {
    log.next = {file.header().out, file.header().err};
    for (;;) {
        auto record = file.next();
        if (!record || !*record) return;
        const auto& header = (*record)->header;
        auto& next = next_of(log.next, header.stream);
        if (!header.is_gap) next = header.offset + header.length;
        else if (const auto gap = decode_gap((*record)->bytes)) next = header.offset + gap->bytes;
    }
}

/// A daemon died between setting a file aside and beginning the next one.
void LogSpool::load_end_of_older(const std::string& service, Log& log) {
    const auto path = path_of(service).string() + "." + std::to_string(log.older.rbegin()->first);
    LogFile file(UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)));
    if (!file.open()) return;
    if (boot_.empty()) boot_ = file.header().boot;
    if (file.header().boot == boot_) read_to_end(file, log);
}

void LogSpool::load_older(const fs::path& path, const std::string& service, std::uint64_t generation) {
    std::error_code failure;
    const auto size = fs::file_size(path, failure);
    if (failure) return;
    auto& log = logs_[service];
    log.older[generation] = size;
    log.older_bytes += size;
    total_ += size;
    log.header.generation = std::max(log.header.generation, generation);
}

void LogSpool::use_boot(const std::string& boot) {
    if (boot == boot_) return;
    boot_ = boot;
    for (auto& [service, log] : logs_) {
        if (log.file && !rotate(service, log)) log.file.reset();
        log.next = {};
    }
}

std::map<std::string, StreamPosition> LogSpool::positions() const {
    std::map<std::string, StreamPosition> positions;
    for (const auto& [service, log] : logs_) positions[service] = log.next;
    return positions;
}

Lost LogSpool::append(const Write& given) {
    const auto& service = given.service.value();
    Log* const log = log_of(given.service);
    if (log == nullptr) return {given.bytes.size(), "services"};
    auto& next = next_of(log->next, given.stream);
    std::string_view bytes = given.bytes;
    std::uint64_t offset = given.offset;
    if (offset < next) {                            // sent again
        const auto known = static_cast<std::size_t>(std::min<std::uint64_t>(next - offset, bytes.size()));
        bytes.remove_prefix(known);
        offset += known;
        if (bytes.empty()) return {};
    }
    Lost lost;
    const bool had_unwritten = log->unwritten != 0;
    if (offset > next) {
        lost = {offset - next, had_unwritten ? "disk" : given.why_gap};
        const auto text = encode(Gap{lost.bytes, lost.why});
        const RecordHeader gap{given.at_unix_us, given.stream, true, next, text.size()};
        if (!write(service, *log, gap, text)) {
            log->unwritten += bytes.size();
            return {lost.bytes + bytes.size(), "disk"};
        }
        log->unwritten = 0;
        next = offset;
        if (had_unwritten) lost = {};               // told when it was refused
    }
    while (!bytes.empty()) {
        const auto part = bytes.substr(0, max_record_bytes);
        const RecordHeader header{given.at_unix_us, given.stream, false, next, part.size()};
        if (!write(service, *log, header, part)) {
            log->unwritten += bytes.size();
            return {lost.bytes + bytes.size(), "disk"};
        }
        next += part.size();
        bytes.remove_prefix(part.size());
    }
    return lost;
}

LogSpool::Log* LogSpool::log_of(const ServiceName& service) {
    const auto found = logs_.find(service.value());
    if (found != logs_.end()) return &found->second;
    if (logs_.size() >= limits_.services) return nullptr;
    return &logs_[service.value()];
}

/// A whole record or nothing of it.
bool LogSpool::write(const std::string& service, Log& log, const RecordHeader& header, std::string_view bytes) {
    const std::string head = encode(header);
    const std::uint64_t size = head.size() + bytes.size() + 1;
    if (log.file && log.file_bytes + size > limits_.file_bytes && !rotate(service, log)) return false;
    if (!make_room(size)) return false;
    if (!log.file && !make_file(service, log)) return false;
    std::string record = head;
    record += bytes;
    record += '\n';
    return write_all(log, record);
}

bool LogSpool::write_all(Log& log, std::string_view bytes) {
    const auto before = log.file_bytes;
    for (std::string_view rest = bytes; !rest.empty();) {
        const ssize_t count = ::pwrite(log.file.get(), rest.data(), rest.size(), static_cast<off_t>(before + (bytes.size() - rest.size())));
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) {
            if (::ftruncate(log.file.get(), static_cast<off_t>(before)) != 0) log.file.reset();
            return false;
        }
        rest.remove_prefix(static_cast<std::size_t>(count));
    }
    log.file_bytes += bytes.size();
    total_ += bytes.size();
    return true;
}

bool LogSpool::make_file(const std::string& service, Log& log) {
    std::error_code failure;
    fs::create_directories(directory_, failure);
    log.file.reset(::open(path_of(service).c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!log.file) return false;
    log.file_bytes = 0;
    log.header = {log.older.empty() ? 1 : log.older.rbegin()->first + 1, log.next.out, log.next.err, boot_};
    if (write_all(log, encode(log.header))) return true;
    log.file.reset();
    ::unlink(path_of(service).c_str());
    return false;
}

bool LogSpool::rotate(const std::string& service, Log& log) {
    std::error_code failure;
    const auto path = path_of(service);
    fs::rename(path, path.string() + "." + std::to_string(log.header.generation), failure);
    if (failure) return false;
    log.older[log.header.generation] = log.file_bytes;
    log.older_bytes += log.file_bytes;
    log.file_bytes = 0;
    log.file.reset();
    while (log.older.size() >= std::max<std::uint32_t>(limits_.files, 1)) drop_oldest(service, log);
    return true;
}

void LogSpool::drop_oldest(const std::string& service, Log& log) {
    const auto oldest = log.older.begin();
    ::unlink((path_of(service).string() + "." + std::to_string(oldest->first)).c_str());
    log.older_bytes -= oldest->second;
    total_ -= oldest->second;
    log.older.erase(oldest);
}

bool LogSpool::make_room(std::uint64_t bytes) {
    while (total_ + bytes > limits_.run_bytes) {
        const auto size_of = [](const auto& each) { return each.second.older.empty() ? 0 : each.second.older_bytes + each.second.file_bytes; };
        const auto largest = std::max_element(logs_.begin(), logs_.end(), [&](const auto& a, const auto& b) { return size_of(a) < size_of(b); });
        if (largest == logs_.end() || largest->second.older.empty()) return false;
        drop_oldest(largest->first, largest->second);
    }
    return true;
}

}  // namespace vigil::logs
