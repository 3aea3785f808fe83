// A whole exec in one call: its input given at once, its output collected, its exit status.
//
// Units:  of each output the first `max_output` bytes are kept, the rest is counted. Errors: those of the stream; Errc::timeout when it has not ended in time (it goes on).
#pragma once

#include "host/streams/guest_stream.hpp"
#include "shared/protocol/report.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace vigil::streams {

struct ProgramResult {
    protocol::ExitStatus exit;
    std::string out, err;
    std::uint64_t out_lost = 0, err_lost = 0;
};

struct ProgramLimits {
    std::chrono::milliseconds deadline{60'000};
    std::size_t max_output = 512 * 1024;
};

boost::asio::awaitable<Result<ProgramResult>> run_program(GuestStream stream, std::string input, ProgramLimits limits);

}  // namespace vigil::streams
