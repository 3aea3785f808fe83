#include "host/http1/body.hpp"

#include <algorithm>

namespace vigil::http1 {

namespace {

constexpr std::size_t max_chunk_line = 1024, max_trailer_bytes = 16 * 1024;

/// Fields that say how the message is read or who asks: after the body they would come too late, and could only deceive.
constexpr std::string_view not_in_trailers[] = {"transfer-encoding", "content-length", "host", "connection", "trailer", "te", "upgrade", "keep-alive",
                                                "authorization", "cookie", "set-cookie", "content-encoding", "content-type", "content-range", "expect"};

Error ambiguous(std::string what) { return Error(Errc::invalid, std::move(what)); }

Result<std::uint64_t> parse_length(std::string_view text) {
    if (text.empty() || text.size() > 18 || !std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; }))
        return ambiguous("Content-Length is not one plain number");
    std::uint64_t length = 0;
    for (const char c : text) length = length * 10 + static_cast<std::uint64_t>(c - '0');
    return length;
}

/// nullopt: neither field is there.
Result<std::optional<Framing>> stated_framing(const Fields& fields, int minor) {
    TRY(length, single_field(fields, "content-length"));
    TRY(coding, single_field(fields, "transfer-encoding"));
    if (coding && length) return ambiguous("both Transfer-Encoding and Content-Length");
    if (coding && minor == 0) return ambiguous("Transfer-Encoding in HTTP/1.0");
    if (coding && !equals_ignoring_case(*coding, "chunked")) return ambiguous("a Transfer-Encoding other than chunked");
    if (coding) return std::optional(Framing{Framing::Kind::chunked, 0});
    if (!length) return std::optional<Framing>();
    TRY(number, parse_length(*length));
    return std::optional(Framing{Framing::Kind::length, number});
}

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace

Result<Framing> request_framing(const RequestHead& head) {
    TRY(stated, stated_framing(head.fields, head.minor));
    return stated.value_or(Framing{});
}

Result<Framing> response_framing(const ResponseHead& head, std::string_view method) {
    TRY(stated, stated_framing(head.fields, head.minor));
    if (head.status < 200 || head.status == 204) {
        if (stated && stated->kind == Framing::Kind::chunked) return ambiguous("Transfer-Encoding in an answer that has no body");
        return Framing{};
    }
    if (head.status == 304 || method == "HEAD") return Framing{};
    return stated.value_or(Framing{Framing::Kind::until_close, 0});
}

BodyScanner::BodyScanner(Framing framing) : state_(State::done), left_(framing.length) {
    switch (framing.kind) {
        case Framing::Kind::none: break;
        case Framing::Kind::length: state_ = framing.length == 0 ? State::done : State::counted; break;
        case Framing::Kind::chunked: state_ = State::chunk_line; break;
        case Framing::Kind::until_close: state_ = State::until_close; break;
    }
}

Result<std::size_t> BodyScanner::take(std::string_view bytes) {
    std::size_t at = 0;
    while (at < bytes.size() && state_ != State::done) {
        if (state_ == State::until_close) return bytes.size();
        if (state_ == State::counted || state_ == State::chunk_data) {
            const auto part = std::min<std::uint64_t>(left_, bytes.size() - at);
            left_ -= part;
            at += part;
            if (left_ == 0 && state_ == State::counted) state_ = State::done;
            if (left_ == 0 && state_ == State::chunk_data) {
                state_ = State::chunk_end;
                left_ = 2;
            }
        } else if (state_ == State::chunk_end) {
            if (bytes[at++] != (left_ == 2 ? '\r' : '\n')) return ambiguous("a chunk is longer than it says");
            if (--left_ == 0) state_ = State::chunk_line;
        } else {
            TRY_VOID(take_line_byte(bytes[at++]));
        }
    }
    return at;
}

Result<void> BodyScanner::take_line_byte(char byte) {
    line_ += byte;
    if (line_.size() > max_chunk_line && state_ == State::chunk_line) return Error(Errc::limit, "the line before a chunk is too long");
    if (state_ == State::trailer && ++trailer_bytes_ > max_trailer_bytes) return Error(Errc::limit, "the trailer is too long");
    const bool after_cr = line_.size() > 1 && line_[line_.size() - 2] == '\r';
    if (byte == '\n' && !after_cr) return ambiguous("a line of the chunked body ends without CR");
    if (after_cr && byte != '\n') return ambiguous("a CR inside a line of the chunked body");
    if (byte != '\n') return {};
    line_.resize(line_.size() - 2);
    if (state_ == State::chunk_line) TRY_VOID(end_chunk_line());
    else TRY_VOID(end_trailer_line());
    line_.clear();
    return {};
}

Result<void> BodyScanner::end_chunk_line() {
    std::size_t digits = 0;
    std::uint64_t size = 0;
    while (digits < line_.size() && hex_value(line_[digits]) >= 0) {
        if (digits == 15) return ambiguous("a chunk's size has too many digits");
        size = size * 16 + static_cast<std::uint64_t>(hex_value(line_[digits++]));
    }
    const auto extension = std::string_view(line_).substr(digits);
    const bool printable = std::ranges::all_of(extension, [](char c) { return c == '\t' || (c >= 0x20 && c < 0x7f); });
    if (digits == 0 || !printable || (!extension.empty() && extension.front() != ';')) return ambiguous("a chunk's size is not a plain hexadecimal number");
    left_ = size;
    state_ = size == 0 ? State::trailer : State::chunk_data;
    return {};
}

Result<void> BodyScanner::end_trailer_line() {
    if (line_.empty()) {
        state_ = State::done;
        return {};
    }
    TRY(fields, parse_fields(line_ + "\r\n"));
    const auto& name = fields.front().name;
    if (std::ranges::any_of(not_in_trailers, [&](std::string_view each) { return equals_ignoring_case(each, name); }))
        return ambiguous("the trailer holds " + name + ", which may not come after the body");
    return {};
}

}  // namespace vigil::http1
