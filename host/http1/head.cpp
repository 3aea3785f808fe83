#include "host/http1/head.hpp"

#include <algorithm>

namespace vigil::http1 {

namespace {

Error malformed(std::string what) { return Error(Errc::invalid, std::move(what)); }

bool is_token_char(char c) {
    const bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return alphanumeric || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

std::string_view trimmed(std::string_view text) {
    const auto blank = [](char c) { return c == ' ' || c == '\t'; };
    while (!text.empty() && blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && blank(text.back())) text.remove_suffix(1);
    return text;
}

/// Field values: visible bytes, blanks, and what is beyond ASCII.
bool is_value(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f); });
}

bool is_target(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
}

/// "HTTP/1.0" or "HTTP/1.1".
Result<int> minor_of(std::string_view version) {
    if (version == "HTTP/1.1") return 1;
    if (version == "HTTP/1.0") return 0;
    return Error(Errc::unsupported, "not HTTP/1.0 or HTTP/1.1");
}

struct Parts {
    std::string_view first, fields;
};

Result<Parts> split_head(std::string_view head) {
    if (!head.ends_with("\r\n\r\n")) return malformed("the head does not end with an empty line");
    const auto end = head.find("\r\n");
    return Parts{head.substr(0, end), head.substr(end + 2, head.size() - end - 4)};
}

std::string fields_text(const Fields& fields) {
    std::string text;
    for (const auto& [name, value] : fields) text += name + ": " + value + "\r\n";
    return text + "\r\n";
}

}  // namespace

bool equals_ignoring_case(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

bool is_token(std::string_view text) { return !text.empty() && std::ranges::all_of(text, is_token_char); }

Result<std::optional<std::size_t>> head_size(std::string_view bytes) {
    const auto end = bytes.find("\r\n\r\n");
    if (end == std::string_view::npos) {
        // A head that ends its lines without CR would never be found: say so at once.
        if (const auto bare = bytes.find("\n\n"); bare != std::string_view::npos) return malformed("lines must end with CR LF");
        if (bytes.size() >= max_head_bytes) return Error(Errc::limit, "the head is longer than " + std::to_string(max_head_bytes) + " bytes");
        return std::optional<std::size_t>();
    }
    if (end + 4 > max_head_bytes) return Error(Errc::limit, "the head is longer than " + std::to_string(max_head_bytes) + " bytes");
    return std::optional(end + 4);
}

Result<Fields> parse_fields(std::string_view lines) {
    Fields fields;
    while (!lines.empty()) {
        const auto end = lines.find("\r\n");
        if (end == std::string_view::npos) return malformed("a line does not end with CR LF");
        const auto line = lines.substr(0, end);
        lines.remove_prefix(end + 2);
        const auto colon = line.find(':');
        if (colon == std::string_view::npos) return malformed("a field without a colon");
        if (!is_token(line.substr(0, colon))) return malformed("a field's name is no token (a blank before the colon, a folded line?)");
        const auto value = trimmed(line.substr(colon + 1));
        if (!is_value(value)) return malformed("a control byte in the field " + std::string(line.substr(0, colon)));
        if (fields.size() == max_fields) return Error(Errc::limit, "more than " + std::to_string(max_fields) + " fields");
        fields.push_back({std::string(line.substr(0, colon)), std::string(value)});
    }
    return fields;
}

Result<RequestHead> parse_request_head(std::string_view head) {
    TRY(parts, split_head(head));
    const auto first_blank = parts.first.find(' '), last_blank = parts.first.rfind(' ');
    if (first_blank == std::string_view::npos || first_blank == last_blank) return malformed("the request line is not METHOD TARGET VERSION");
    RequestHead request;
    TRY(minor, minor_of(parts.first.substr(last_blank + 1)));
    request.minor = minor;
    request.method = parts.first.substr(0, first_blank);
    request.target = parts.first.substr(first_blank + 1, last_blank - first_blank - 1);
    if (!is_token(request.method)) return malformed("the method is no token");
    if (!is_target(request.target)) return malformed("the request target holds blanks, control bytes or bytes beyond ASCII");
    TRY(fields, parse_fields(parts.fields));
    request.fields = std::move(fields);
    return request;
}

Result<ResponseHead> parse_response_head(std::string_view head) {
    TRY(parts, split_head(head));
    ResponseHead response;
    TRY(minor, minor_of(parts.first.substr(0, parts.first.find(' '))));
    response.minor = minor;
    const auto rest = parts.first.substr(std::min<std::size_t>(9, parts.first.size()));
    const auto digits = rest.substr(0, 3);
    const bool numeric = digits.size() == 3 && std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; });
    if (!numeric || digits[0] < '1' || digits[0] > '5' || (rest.size() > 3 && rest[3] != ' ')) return malformed("the status line has no status");
    response.status = (digits[0] - '0') * 100 + (digits[1] - '0') * 10 + (digits[2] - '0');
    if (rest.size() > 4) response.reason = rest.substr(4);
    if (!is_value(response.reason)) return malformed("a control byte in the status line");
    TRY(fields, parse_fields(parts.fields));
    response.fields = std::move(fields);
    return response;
}

std::string to_text(const RequestHead& head) {
    return head.method + " " + head.target + " HTTP/1." + std::to_string(head.minor) + "\r\n" + fields_text(head.fields);
}

std::string to_text(const ResponseHead& head) {
    return "HTTP/1." + std::to_string(head.minor) + " " + std::to_string(head.status) + " " + head.reason + "\r\n" + fields_text(head.fields);
}

Result<std::optional<std::string>> single_field(const Fields& fields, std::string_view name) {
    std::optional<std::string> found;
    for (const auto& field : fields) {
        if (!equals_ignoring_case(field.name, name)) continue;
        if (found) return malformed("two fields " + std::string(name));
        found = field.value;
    }
    return found;
}

std::vector<std::string> list_of(const Fields& fields, std::string_view name) {
    std::vector<std::string> items;
    for (const auto& field : fields) {
        if (!equals_ignoring_case(field.name, name)) continue;
        std::string_view rest = field.value;
        while (!rest.empty()) {
            const auto comma = rest.find(',');
            const auto item = trimmed(rest.substr(0, comma));
            if (!item.empty()) items.emplace_back(item);
            if (comma == std::string_view::npos) break;
            rest.remove_prefix(comma + 1);
        }
    }
    return items;
}

bool lists(const Fields& fields, std::string_view name, std::string_view item) {
    return std::ranges::any_of(list_of(fields, name), [&](const std::string& each) { return equals_ignoring_case(each, item); });
}

void remove_fields(Fields& fields, std::string_view name) {
    std::erase_if(fields, [&](const Field& field) { return equals_ignoring_case(field.name, name); });
}

}  // namespace vigil::http1
