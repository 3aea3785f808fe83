#include "host/http/event_source.hpp"
#include "host/http/router.hpp"

#include <catch2/catch_test_macros.hpp>

#include <optional>
#include <stdexcept>

namespace vigil::http {

namespace {

struct Outcome {
    std::optional<Response> response;
    std::optional<Request> request;
};

Outcome dispatch(std::vector<Route> routes, Method method, const std::string& target) {
    Outcome outcome;
    for (auto& route : routes) {
        if (route.answer) continue;
        route.answer = [&outcome](const Request& request, const Reply& reply) {
            outcome.request = request;
            reply.send(empty_response());
        };
    }
    const Router router(std::move(routes));
    Request request;
    request.method = method;
    request.path = target;
    {
        const Reply reply([&outcome](Answer answer) { outcome.response = std::get<Response>(std::move(answer)); });
        router.dispatch(std::move(request), reply);
    }
    return outcome;
}

std::vector<Route> some_routes() {
    return {{Method::get, "/v1/instances", nullptr}, {Method::get, "/v1/instances/{id}", nullptr}, {Method::get, "/v1/instances/newest", nullptr},
            {Method::del, "/v1/instances/{id}", nullptr}, {Method::get, "/v1/instances/{id}/logs/{service}", nullptr}};
}

}  // namespace

TEST_CASE("router: parameters and query arrive decoded", "[host][http]") {
    const auto outcome = dispatch(some_routes(), Method::get, "/v1/instances/vm%2D1/logs/we%20b?run=3&x=a+b%26c&flag");
    REQUIRE(outcome.request);
    CHECK(outcome.request->parameter("id") == "vm-1");
    CHECK(outcome.request->parameter("service") == "we b");
    CHECK(outcome.request->query_value("run") == "3");
    CHECK(outcome.request->query_value("x") == "a b&c");
    CHECK(outcome.request->query_value("flag") == "");
    CHECK_FALSE(outcome.request->query_value("none"));
}

TEST_CASE("router: a literal segment wins over a parameter, a trailing slash does not matter", "[host][http]") {
    CHECK(dispatch(some_routes(), Method::get, "/v1/instances/newest").request->parameters.empty());
    CHECK(dispatch(some_routes(), Method::get, "/v1/instances/").response->status == 204);
}

TEST_CASE("router: unknown path, wrong method, broken target", "[host][http]") {
    CHECK(dispatch(some_routes(), Method::get, "/v2/instances").response->status == 404);
    CHECK(dispatch(some_routes(), Method::get, "/v1/instances/a/logs").response->status == 404);
    const auto wrong = dispatch(some_routes(), Method::put, "/v1/instances/a");
    CHECK(wrong.response->status == 405);
    CHECK(wrong.response->headers.front() == std::pair<std::string, std::string>("Allow", "DELETE, GET"));
    CHECK(dispatch(some_routes(), Method::get, "/v1/%zz").response->status == 400);
    CHECK(dispatch(some_routes(), Method::get, "/v1/a%00b").response->status == 400);
    CHECK(dispatch(some_routes(), Method::get, "v1").response->status == 400);
}

TEST_CASE("router: an answerer that throws or forgets its reply gives 500 without internal text", "[host][http]") {
    const auto thrown = dispatch({{Method::get, "/x", [](const Request&, const Reply&) { throw std::runtime_error("secret"); }}}, Method::get, "/x");
    CHECK(thrown.response->status == 500);
    CHECK(thrown.response->body.find("secret") == std::string::npos);
    const auto forgotten = dispatch({{Method::get, "/x", [](const Request&, const Reply&) {}}}, Method::get, "/x");
    REQUIRE(forgotten.response);
    CHECK(forgotten.response->status == 500);
}

TEST_CASE("events on the wire: every line of the data is a data line", "[host][http]") {
    CHECK(to_sse({7, "stage", "{\"a\":1}"}) == "id: 7\nevent: stage\ndata: {\"a\":1}\n\n");
    CHECK(to_sse({std::nullopt, "", "a\nb"}) == "data: a\ndata: b\n\n");
}

TEST_CASE("router: a last {name*} takes all that follows, also nothing, and literal routes go before it", "[host][http]") {
    const auto routes = [] {
        return std::vector<Route>{{Method::get, "/vm/{id}/files/{path*}", nullptr}, {Method::get, "/vm/{id}/files/index", nullptr}, {Method::get, "/vm/{id}", nullptr}};
    };
    const auto path_of = [&](const std::string& target) {
        const auto outcome = dispatch(routes(), Method::get, target);
        return outcome.request && outcome.request->parameters.contains("path") ? outcome.request->parameter("path") : "none";
    };
    CHECK(path_of("/vm/a/files/etc/os-release") == "etc/os-release");
    CHECK(path_of("/vm/a/files/") == "");
    CHECK(path_of("/vm/a/files") == "");
    CHECK(path_of("/vm/a/files/a%20b/..") == "a b/..");
    CHECK(path_of("/vm/a/files/index") == "none");
    CHECK(dispatch(routes(), Method::get, "/vm/a/file").response->status == 404);
}

}  // namespace vigil::http
