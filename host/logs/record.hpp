// One record of a service's log, and the first line of its file. README.md gives the format.
//
// Errors: decode: Errc::invalid for what no writer of ours wrote.
#pragma once

#include "shared/base/clock.hpp"
#include "shared/base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vigil::logs {

enum class LogStream : char { out = 'o', err = 'e' };

struct FileHeader {
    std::uint64_t generation = 1;
    std::uint64_t out = 0, err = 0;
    std::string boot;
    friend bool operator==(const FileHeader&, const FileHeader&) = default;
};

struct RecordHeader {
    UnixUs at_unix_us = 0;
    LogStream stream = LogStream::out;
    bool is_gap = false;
    std::uint64_t offset = 0;
    std::size_t length = 0;
    friend bool operator==(const RecordHeader&, const RecordHeader&) = default;
};

inline constexpr std::size_t max_header_bytes = 160, max_record_bytes = 1 << 20;

std::string encode(const FileHeader& header);
std::string encode(const RecordHeader& header);
/// A whole line without its end.
Result<FileHeader> decode_file_header(std::string_view line);
Result<RecordHeader> decode_record_header(std::string_view line);

struct Gap {
    std::uint64_t bytes = 0;
    std::string why;
};
std::string encode(const Gap& gap);
Result<Gap> decode_gap(std::string_view text);

}  // namespace vigil::logs
