// Heads and bodies that pass through a proxy: bounded, and the same however the reads are cut.
#include "host/http1/body.hpp"
#include "host/http1/hop.hpp"
#include "tests/fuzz/require.hpp"

#include <cstdint>

using namespace vigil;
using vigil::fuzz::require;
using namespace vigil::http1;

namespace {

/// What the scanner makes of `bytes` fed in pieces: bytes taken, whether it ended, whether it was an error.
struct Outcome {
    std::size_t taken = 0;
    bool done = false, failed = false;
    bool operator==(const Outcome&) const = default;
};

Outcome scan(Framing framing, std::string_view bytes, std::size_t step) {
    BodyScanner scanner(framing);
    Outcome outcome;
    while (outcome.taken < bytes.size() && !scanner.done()) {
        const auto piece = bytes.substr(outcome.taken, step);
        const auto part = scanner.take(piece);
        if (!part) return {0, false, true};
        require(*part <= piece.size(), "took more than there was");
        outcome.taken += *part;
        if (*part < piece.size()) break;
    }
    outcome.done = scanner.done();
    return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const auto end = head_size(bytes);
    if (end && *end) {
        const auto head = bytes.substr(0, **end), rest = bytes.substr(**end);
        if (auto request = parse_request_head(head)) {
            const auto again = parse_request_head(to_text(*request));
            require(again && *again == *request, "a head changes when it is written and read again");
            if (const auto framing = request_framing(*request)) {
                require(scan(*framing, rest, 1) == scan(*framing, rest, rest.size() + 1), "the cuts of the reads decide where a body ends");
                (void)upgrade_of(request->fields);
                if (remove_hop_fields(request->fields)) {
                    const auto left = request_framing(*request);
                    require(left && *left == *framing, "taking out hop fields changes the framing");
                    require(!upgrade_of(request->fields), "a hop field is left");
                }
            }
        }
        if (const auto response = parse_response_head(head)) {
            const auto again = parse_response_head(to_text(*response));
            require(again && *again == *response, "a status line changes when it is written and read again");
            (void)response_framing(*response, "GET");
        }
    }
    require(scan({Framing::Kind::chunked, 0}, bytes, 1) == scan({Framing::Kind::chunked, 0}, bytes, 5), "the cuts of the reads decide where chunks end");
    return 0;
}
