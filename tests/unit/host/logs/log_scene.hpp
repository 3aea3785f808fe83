// A directory of logs, written through a spool and read back.
#pragma once

#include "host/logs/log_view.hpp"
#include "host/logs/spool.hpp"
#include "tests/unit/host/unix_client.hpp"

#include <catch2/catch_test_macros.hpp>

#include <string>
#include <vector>

namespace vigil::logs {

struct LogScene {
    test::TemporaryDirectory directory;
    UnixUs now = 1'000'000;

    Lost write(LogSpool& spool, const std::string& service, std::uint64_t offset, std::string_view bytes, LogStream stream = LogStream::out, std::string why = "guest") {
        now += 1000;
        return spool.append({ServiceName(service), stream, offset, bytes, now, std::move(why)});
    }
    std::vector<LogRecord> read(LogQuery query = {}) const {
        LogView view(directory.path(), std::move(query));
        while (view.is_counting()) view.count_some();
        std::vector<LogRecord> records;
        while (auto record = view.next()) records.push_back(std::move(*record));
        return records;
    }
    std::string text(LogQuery query = {}) const {
        std::string text;
        for (const auto& record : read(std::move(query))) text += record.bytes;
        return text;
    }
};

}  // namespace vigil::logs
