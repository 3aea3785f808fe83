// The logs of a run as somebody wants to see them: one service or all by time, from a time on, the last lines only.
//
// Shape:  next() gives the next record, nullopt when there is nothing more now; logs that appear later join. With `tail` the lines are counted first,
//         in steps: while is_counting(), call count_some(). What is missing is in the records.
#pragma once

#include "host/logs/log_reader.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace vigil::logs {

struct LogQuery {
    std::string service;                       // empty: all
    UnixUs since_unix_us = 0;
    std::optional<std::uint64_t> tail;         // lines of each stream of each service
};

class LogView {
  public:
    LogView(std::filesystem::path directory, LogQuery query);

    bool is_counting() const { return counting_; }
    void count_some();
    std::optional<LogRecord> next();

  private:
    struct Source {
        LogReader reader;
        std::optional<LogRecord> ahead;
        std::uint64_t lines_to_skip[2] = {};   // of stdout, of stderr
    };
    struct Count {
        LogReader reader;
        std::uint64_t lines[2] = {};
        bool in_line[2] = {};                  // an unfinished line is one, too
    };

    void find_services();
    std::optional<LogRecord> read(LogReader& reader) const;
    void look_ahead(Source& source) const;
    static bool skip_lines(Source& source);

    std::filesystem::path directory_;
    LogQuery query_;
    std::map<std::string, Source> sources_;
    std::map<std::string, Count> counts_;
    bool counting_ = false;
};

}  // namespace vigil::logs
