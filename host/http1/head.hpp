// The head of an HTTP/1.1 message: its first line and its fields, strictly read.
//
// Shape:  fields keep their order and spelling; values are trimmed. `minor` is 0 or 1 (HTTP/1.0, HTTP/1.1).
// Units:  max_head_bytes, max_fields. Errors: Errc::invalid with what is wrong, Errc::limit.
// Source: RFC 9112 2-5, RFC 9110 5.
#pragma once

#include "shared/base/result.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::http1 {

inline constexpr std::size_t max_head_bytes = 32 * 1024, max_fields = 128;

struct Field {
    std::string name, value;
    friend bool operator==(const Field&, const Field&) = default;
};

using Fields = std::vector<Field>;

struct RequestHead {
    std::string method, target;
    int minor = 1;
    Fields fields;
    friend bool operator==(const RequestHead&, const RequestHead&) = default;
};

struct ResponseHead {
    int status = 200;
    std::string reason;
    int minor = 1;
    Fields fields;
    friend bool operator==(const ResponseHead&, const ResponseHead&) = default;
};

/// Length of the head at the beginning of `bytes` with its empty line; nullopt: it has not ended yet. Errc::limit when it is too long.
Result<std::optional<std::size_t>> head_size(std::string_view bytes);

/// `head` is whole, with its empty line.
Result<RequestHead> parse_request_head(std::string_view head);
Result<ResponseHead> parse_response_head(std::string_view head);
/// Lines of "name: value", each with its CRLF; those of a head or a trailer.
Result<Fields> parse_fields(std::string_view lines);

std::string to_text(const RequestHead& head);
std::string to_text(const ResponseHead& head);

bool equals_ignoring_case(std::string_view a, std::string_view b);
bool is_token(std::string_view text);
/// The value when there is exactly one such field; an error when there are several.
Result<std::optional<std::string>> single_field(const Fields& fields, std::string_view name);
/// Whether some field of that name lists `item` (comma-separated, without regard to case).
bool lists(const Fields& fields, std::string_view name, std::string_view item);
/// The members of a comma-separated list, over all fields of that name; empty ones left out.
std::vector<std::string> list_of(const Fields& fields, std::string_view name);
void remove_fields(Fields& fields, std::string_view name);

}  // namespace vigil::http1
