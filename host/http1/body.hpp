// Where the body of a message ends.
//
// Shape:  a Framing is read from a head; a BodyScanner of it is fed the bytes that follow and tells how many of them are the body's. They pass unchanged, chunk
//         lines and trailers included, which are checked on the way: what it lets through, every reader takes alike.
// Errors: Errc::invalid for framing that two readers could take differently; Errc::limit for chunk lines and trailers that are too long.
// Source: RFC 9112 6, 7.1; RFC 9110 6.5.1.
#pragma once

#include "host/http1/head.hpp"

#include <cstdint>

namespace vigil::http1 {

struct Framing {
    enum class Kind { none, length, chunked, until_close };
    Kind kind = Kind::none;
    std::uint64_t length = 0;
    friend bool operator==(const Framing&, const Framing&) = default;
};

Result<Framing> request_framing(const RequestHead& head);
/// `method`: of the request. A 1xx, 204, 304 and every answer to HEAD has no body; a 2xx to CONNECT is not asked for here.
Result<Framing> response_framing(const ResponseHead& head, std::string_view method);

class BodyScanner {
  public:
    explicit BodyScanner(Framing framing);
    /// How many of `bytes` belong to the body; fewer than all of them only when the body ends there.
    Result<std::size_t> take(std::string_view bytes);
    bool done() const { return state_ == State::done; }
    /// Ends with the connection, and this end is right.
    bool may_end_now() const { return state_ == State::done || state_ == State::until_close; }

  private:
    enum class State { counted, until_close, chunk_line, chunk_data, chunk_end, trailer, done };

    Result<void> take_line_byte(char byte);
    Result<void> end_chunk_line();
    Result<void> end_trailer_line();

    State state_;
    std::uint64_t left_ = 0;       // of the body or of the chunk; of a chunk's CRLF
    std::string line_;             // of a chunk's beginning or the trailer, not ended yet
    std::size_t trailer_bytes_ = 0;
};

}  // namespace vigil::http1
