// The way out of a VM, tried: as a program in it would, step by step.
#include "host/api/error_to_http.hpp"
#include "host/api/request_reading.hpp"
#include "host/egress/self_test.hpp"
#include "host/machine/egress_policy.hpp"
#include "shared/json/json.hpp"
#include "shared/streams/opening.hpp"

#include <nlohmann/json.hpp>

#include <memory>

namespace vigil::api {

namespace {

using nlohmann::json;

constexpr std::uint16_t guest_proxy_port = 3128;
constexpr std::chrono::milliseconds test_limit{90'000};   // below the server's deadline for an answer

Result<egress::TestTarget> parse_egress_test(const std::string& body) {
    TRY(order, parse_json(body));
    if (!order.is_object()) return Error(Errc::invalid, "the body must be a JSON object");
    TRY_VOID(refuse_unknown_keys(order, {"target"}));
    TRY(target, read_string(order, "target", 2048));
    return egress::parse_test_target(target);
}

json report_json(const egress::TestTarget& target, const egress::SelfTestReport& report) {
    json steps = json::array();
    for (const auto& step : report.steps) steps.push_back({{"step", to_text(step.step)}, {"passed", step.passed}, {"detail", step.detail}});
    return {{"target", target.text()}, {"passed", report.passed()}, {"cause", report.cause.empty() ? json(nullptr) : json(report.cause)}, {"took_ms", report.took_ms}, {"steps", std::move(steps)}};
}

boost::asio::awaitable<void> test_and_reply(std::shared_ptr<streams::GuestStream> stream, egress::TestTarget target, Reply reply) {
    auto report = co_await egress::run_self_test(std::move(*stream), target, test_limit);
    auto answer = http::json_response(200, report_json(target, report));
    reply.send(std::move(answer));
}

}  // namespace

void test_egress(const Context& context, const Request& request, const Reply& reply) {
    const auto id = existing_id(context, request);
    if (!id) return reply.send(to_response(id.error()));
    const auto look = look_at(context, request);
    if (!look) return reply.send(to_response(look.error()));
    auto target = parse_egress_test(request.body);
    if (!target) return reply.send(to_response(target.error()));
    if (look->state.spec.egress.empty())
        return reply.send(to_response(Error(Errc::conflict, "the spec of " + look->row.name.value() + " names no egress policy, so nothing leaves it; vigil up --egress gives one")));
    if (const auto policy = machine::parse_egress_policy(look->state.spec.egress); policy && policy->upstream)
        target->upstream = policy->upstream->host + ":" + std::to_string(policy->upstream->port);
    auto opened = [reply, &relays = context.relays, target = *target](Result<streams::GuestStream> stream) {
        if (!stream) return reply.send(to_response(stream.error().with_context("the proxy in the VM")));
        auto shared = std::make_shared<streams::GuestStream>(std::move(*stream));
        relays.hold("egress.test", [shared, target, reply] { return test_and_reply(shared, target, reply); });
    };
    context.control.open_stream(*id, streams::encode(streams::Opening(streams::TcpOpening{guest_proxy_port})), std::move(opened));
}

}  // namespace vigil::api
