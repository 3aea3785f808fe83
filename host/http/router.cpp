#include "host/http/router.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <set>

namespace vigil::http {

namespace {

Response internal_error() { return problem_response({500, "internal", "internal error", "see the daemon's log"}); }

bool is_parameter(const std::string& segment) { return segment.size() > 2 && segment.front() == '{' && segment.back() == '}'; }

bool is_rest(const std::string& segment) { return is_parameter(segment) && segment[segment.size() - 2] == '*'; }

bool matches(const std::vector<std::string>& pattern, const std::vector<std::string>& segments) {
    const bool takes_rest = !pattern.empty() && is_rest(pattern.back());
    const auto fixed = pattern.size() - (takes_rest ? 1 : 0);
    if (takes_rest ? segments.size() < fixed : segments.size() != fixed) return false;
    for (std::size_t i = 0; i < fixed; ++i) {
        const bool fits = is_parameter(pattern[i]) ? !segments[i].empty() : pattern[i] == segments[i];
        if (!fits) return false;
    }
    return true;
}

/// Literal segments first: "/images/current" goes before "/images/{name}".
auto specificity(const std::vector<std::string>& pattern) { return std::ranges::count_if(pattern, is_parameter); }

}  // namespace

struct Reply::Once {
    std::function<void(Answer)> deliver;
    void answer(Answer answer) {
        if (!deliver) return;
        const auto deliver_once = std::exchange(deliver, nullptr);
        deliver_once(std::move(answer));
    }
    ~Once() {
        if (!deliver) return;
        spdlog::error("http.reply_dropped");
        answer(internal_error());
    }
};

Reply::Reply(std::function<void(Answer)> deliver) : once_(std::make_shared<Once>()) { once_->deliver = std::move(deliver); }
void Reply::send(Response response) const { once_->answer(std::move(response)); }
void Reply::stream(std::unique_ptr<EventSource> source) const { once_->answer(std::move(source)); }
void Reply::stream(ByteStream bytes) const { once_->answer(std::move(bytes)); }
void Reply::hand_over(Handover handover) const { once_->answer(std::move(handover)); }

struct Router::Match {
    const Route* route = nullptr;
    const std::vector<std::string>* pattern = nullptr;
    std::set<std::string> other_methods;
};

Router::Router(std::vector<Route> routes) : routes_(std::move(routes)) {
    std::set<std::pair<Method, std::string>> seen;
    for (const auto& route : routes_) {
        const auto target = parse_target(route.pattern);
        if (!target || !seen.emplace(route.method, route.pattern).second) {
            spdlog::critical("http.route_invalid pattern={}", route.pattern);
            std::abort();
        }
        patterns_.push_back(target->segments);
    }
}

Router::Match Router::find(Method method, const std::vector<std::string>& segments) const {
    Match best;
    for (std::size_t i = 0; i < routes_.size(); ++i) {
        if (!matches(patterns_[i], segments)) continue;
        if (routes_[i].method != method) {
            best.other_methods.emplace(to_text(routes_[i].method));
            continue;
        }
        if (best.route != nullptr && specificity(*best.pattern) <= specificity(patterns_[i])) continue;
        best.route = &routes_[i];
        best.pattern = &patterns_[i];
    }
    return best;
}

void Router::dispatch(Request request, const Reply& reply) const {
    const auto target = parse_target(request.path);
    if (!target) return reply.send(problem_response({400, "invalid", "malformed request target", request.path}));
    request.path = target->path;
    request.query = target->query;
    const Match match = find(request.method, target->segments);
    if (match.route == nullptr && match.other_methods.empty())
        return reply.send(problem_response({404, "not_found", "no such resource", request.path}));
    if (match.route == nullptr) {
        std::string allow;
        for (const auto& method : match.other_methods) allow += (allow.empty() ? "" : ", ") + method;
        auto response = problem_response({405, "invalid", "method not allowed", "allowed here: " + allow});
        response.headers.emplace_back("Allow", allow);
        return reply.send(std::move(response));
    }
    for (std::size_t i = 0; i < match.pattern->size(); ++i) {
        const auto& segment = (*match.pattern)[i];
        if (is_rest(segment)) {
            auto& rest = request.parameters[segment.substr(1, segment.size() - 3)];
            for (std::size_t each = i; each < target->segments.size(); ++each) rest += (each == i ? "" : "/") + target->segments[each];
        } else if (is_parameter(segment)) {
            request.parameters[segment.substr(1, segment.size() - 2)] = target->segments[i];
        }
    }
    try {
        match.route->answer(request, reply);
    } catch (const std::exception& failure) {
        spdlog::error("http.answer_failed route=\"{}\" err=\"{}\"", match.route->pattern, failure.what());
        reply.send(internal_error());
    }
}

}  // namespace vigil::http
