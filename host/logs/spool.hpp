// Writes what the services of one run wrote: a bounded, rotated log each.
//
// Shape:  opening a directory that has logs goes on where they end. append() drops what was written already and counts what is missing before `offset`;
//         a file that is full is set aside, the oldest ones go. When all logs of the run together are too much, the oldest file of whoever wrote most goes.
// Errors: append() never fails: what the disk refuses is counted, told as a gap when it takes bytes again, and returned.
#pragma once

#include "host/logs/log_reader.hpp"
#include "shared/base/ids.hpp"
#include "shared/base/unique_fd.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace vigil::logs {

struct LogLimits {
    std::uint64_t file_bytes = 4 << 20;
    std::uint32_t files = 4;                       // of one service, the one that grows included
    std::uint64_t run_bytes = 128 << 20;           // of all services of a run
    std::uint32_t services = 128;                  // that are written down; the output of others is counted as lost
    std::uint64_t bytes_per_second = 1 << 20;      // taken from one guest
};

struct StreamPosition {
    std::uint64_t out = 0, err = 0;
};

struct Write {
    ServiceName service;
    LogStream stream = LogStream::out;
    std::uint64_t offset = 0;
    std::string_view bytes;
    UnixUs at_unix_us = 0;
    std::string why_gap;                           // of bytes that are missing before it: "guest", "rate"
};

/// Bytes of a stream that will not be in the log.
struct Lost {
    std::uint64_t bytes = 0;
    std::string why;
};

class LogSpool {
  public:
    LogSpool(std::filesystem::path directory, LogLimits limits);

    /// Positions of another boot are forgotten: its streams begin anew.
    void use_boot(const std::string& boot);
    const std::string& boot() const { return boot_; }
    std::map<std::string, StreamPosition> positions() const;
    /// What was lost before and with it.
    Lost append(const Write& write);
    std::uint64_t bytes() const { return total_; }

  private:
    struct Log {
        UniqueFd file;
        FileHeader header;
        std::uint64_t file_bytes = 0, older_bytes = 0, unwritten = 0;
        std::map<std::uint64_t, std::uint64_t> older;   // generation -> size
        StreamPosition next;
    };

    void load(const std::filesystem::path& path, const std::string& service);
    void load_end_of_older(const std::string& service, Log& log);
    void load_older(const std::filesystem::path& path, const std::string& service, std::uint64_t generation);
    static void read_to_end(LogFile& file, Log& log);
    Log* log_of(const ServiceName& service);
    bool write(const std::string& service, Log& log, const RecordHeader& header, std::string_view bytes);
    bool write_all(Log& log, std::string_view bytes);
    bool make_file(const std::string& service, Log& log);
    bool rotate(const std::string& service, Log& log);
    void drop_oldest(const std::string& service, Log& log);
    bool make_room(std::uint64_t bytes);
    std::filesystem::path path_of(const std::string& service) const { return directory_ / (service + ".log"); }

    std::filesystem::path directory_;
    LogLimits limits_;
    std::string boot_;
    std::map<std::string, Log> logs_;
    std::uint64_t total_ = 0;
};

}  // namespace vigil::logs
