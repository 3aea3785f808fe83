#include "host/http/message.hpp"

#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

#include <cstdlib>

namespace vigil::http {

std::string_view to_text(Method method) {
    switch (method) {
        case Method::get: return "GET";
        case Method::post: return "POST";
        case Method::put: return "PUT";
        case Method::del: return "DELETE";
    }
    std::abort();
}

std::optional<std::string> Request::query_value(const std::string& key) const {
    const auto found = query.find(key);
    if (found == query.end()) return std::nullopt;
    return found->second;
}

std::optional<std::string> Request::header(const std::string& lower_case_name) const {
    const auto found = headers.find(lower_case_name);
    if (found == headers.end()) return std::nullopt;
    return found->second;
}

const std::string& Request::parameter(const std::string& name) const {
    const auto found = parameters.find(name);
    if (found == parameters.end()) std::abort();
    return found->second;
}

Response json_response(int status, const nlohmann::json& value) {
    return {status, "application/json", dump_json(value) + "\n", {}};
}

Response problem_response(const Problem& problem) {
    const nlohmann::json body = {{"type", "about:blank"},
                                 {"title", problem.title},
                                 {"status", problem.status},
                                 {"detail", problem.detail},
                                 {"code", problem.code}};
    return {problem.status, "application/problem+json", dump_json(body) + "\n", {}};
}

Response empty_response(int status) { return {status, "", "", {}}; }

namespace {

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

enum class Plus { literal, blank };

std::optional<std::string> percent_decode(std::string_view text, Plus plus) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (c == '+' && plus == Plus::blank) c = ' ';
        if (c == '%') {
            if (i + 2 >= text.size()) return std::nullopt;
            const int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
            if (high < 0 || low < 0) return std::nullopt;
            c = static_cast<char>(high * 16 + low);
            i += 2;
        }
        if (c == '\0') return std::nullopt;
        out.push_back(c);
    }
    return out;
}

std::optional<std::map<std::string, std::string>> parse_query(std::string_view text) {
    std::map<std::string, std::string> query;
    while (!text.empty()) {
        const auto pair = text.substr(0, text.find('&'));
        text.remove_prefix(std::min(text.size(), pair.size() + 1));
        if (pair.empty()) continue;
        const auto equals = pair.find('=');
        const auto key = percent_decode(pair.substr(0, equals), Plus::blank);
        const auto value = percent_decode(equals == pair.npos ? "" : pair.substr(equals + 1), Plus::blank);
        if (!key || !value) return std::nullopt;
        query[*key] = *value;
    }
    return query;
}

}  // namespace

std::optional<Target> parse_target(std::string_view text) {
    Target target;
    const auto mark = text.find('?');
    auto path = text.substr(0, mark);
    if (path.empty() || path.front() != '/') return std::nullopt;
    target.path = std::string(path);
    path.remove_prefix(1);
    while (!path.empty()) {
        const auto segment = path.substr(0, path.find('/'));
        path.remove_prefix(std::min(path.size(), segment.size() + 1));
        const auto decoded = percent_decode(segment, Plus::literal);
        if (!decoded) return std::nullopt;
        target.segments.push_back(*decoded);
    }
    const auto query = parse_query(mark == text.npos ? "" : text.substr(mark + 1));
    if (!query) return std::nullopt;
    target.query = *query;
    return target;
}

}  // namespace vigil::http
