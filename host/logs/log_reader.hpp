// Reads a service's log in order, over all its files, also while it is written and rotated.
//
// Shape:  LogFile is one file, record by record; LogReader goes from file to file. nullopt: nothing more yet.
// Errors: Errc::invalid, unsupported naming what is damaged; the reader goes on with the next file.
#pragma once

#include "host/logs/record.hpp"
#include "shared/base/unique_fd.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace vigil::logs {

struct StoredRecord {
    RecordHeader header;
    std::string bytes;
};

class LogFile {
  public:
    explicit LogFile(UniqueFd file) : file_(std::move(file)) {}
    /// Reads its first line.
    Result<void> open();
    const FileHeader& header() const { return header_; }
    Result<std::optional<StoredRecord>> next();
    /// Behind the last whole record.
    std::uint64_t position() const { return at_; }
    int fd() const { return file_.get(); }

  private:
    bool fill(std::size_t wanted);

    UniqueFd file_;
    FileHeader header_;
    std::string buffer_;               // what was read from at_ on
    std::size_t used_ = 0;
    std::uint64_t at_ = 0;
};

/// Output of a service, with what is missing before it.
struct LogRecord {
    UnixUs at_unix_us = 0;
    std::string service;
    LogStream stream = LogStream::out;
    std::uint64_t offset = 0;
    std::string bytes;
    std::uint64_t lost = 0;            // bytes of this stream right before `offset`
    std::string why;                   // of them: "guest", "rate", "disk", "rotated"
};

class LogReader {
  public:
    LogReader(std::filesystem::path directory, std::string service);
    Result<std::optional<LogRecord>> next();
    const std::string& service() const { return service_; }

  private:
    bool open_next();
    bool has_been_set_aside() const;
    std::optional<LogRecord> take(StoredRecord stored);

    std::filesystem::path directory_;
    std::string service_;
    std::optional<LogFile> file_;
    std::uint64_t generation_ = 0;     // of file_, or of the last one
    std::string boot_;
    std::uint64_t next_out_ = 0, next_err_ = 0;
    std::string why_out_, why_err_;
};

struct FoundLog {
    std::filesystem::path path;
    std::string service;
    std::optional<std::uint64_t> generation;   // none: the one that grows
};
/// In no order; other files are left out.
std::vector<FoundLog> list_logs(const std::filesystem::path& directory);

}  // namespace vigil::logs
