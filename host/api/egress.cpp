// The way out of a VM, tried: as a program in it would, step by step.
#include "host/api/error_to_http.hpp"
#include "host/api/request_reading.hpp"
#include "host/egress/self_test.hpp"
#include "host/machine/egress_policy.hpp"
#include "host/machine/instance_spec.hpp"
#include "shared/json/json.hpp"
#include "shared/streams/opening.hpp"

#include <nlohmann/json.hpp>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace vigil::api {

namespace {

using nlohmann::json;

constexpr std::uint16_t guest_proxy_port = 3128;
constexpr std::chrono::milliseconds test_limit{90'000};   // below the server's deadline for an answer

/// What to try: the body's `target`, or nothing for what the image of the VM declares.
Result<std::optional<std::string>> parse_egress_test(const std::string& body) {
    TRY(order, parse_json(body));
    if (!order.is_object()) return Error(Errc::invalid, "the body must be a JSON object");
    TRY_VOID(refuse_unknown_keys(order, {"target"}));
    if (!order.contains("target")) return std::optional<std::string>();
    TRY(target, read_string(order, "target", 2048));
    return std::optional(std::move(target));
}

Result<std::vector<egress::TestTarget>> targets_of(const std::vector<std::string>& texts) {
    std::vector<egress::TestTarget> targets;
    for (const auto& text : texts) {
        TRY(target, egress::parse_test_target(text));
        targets.push_back(std::move(target));
    }
    return targets;
}

Result<std::vector<egress::TestTarget>> declared_targets(const Context& context, const std::string& reference) {
    TRY(image, context.images.resolve(reference));
    if (image.manifest.egress_targets.empty())
        return Error(Errc::conflict, "the image " + image.manifest.name + " declares no egress_targets: name one target");
    return targets_of(image.manifest.egress_targets);
}

json report_json(const egress::TestTarget& target, const egress::SelfTestReport& report) {
    json steps = json::array();
    for (const auto& step : report.steps) steps.push_back({{"step", to_text(step.step)}, {"passed", step.passed}, {"detail", step.detail}});
    return {{"target", target.text()}, {"passed", report.passed()}, {"cause", report.cause.empty() ? json(nullptr) : json(report.cause)}, {"took_ms", report.took_ms}, {"steps", std::move(steps)}};
}

/// The tests of one request, all at once, and the answer when the last of them is done.
class EgressRound {
public:
    EgressRound(std::vector<egress::TestTarget> targets, bool is_declared, Reply reply)
        : targets_(std::move(targets)), is_declared_(is_declared), reply_(std::move(reply)), reports_(targets_.size()), left_(targets_.size()) {}

    std::size_t size() const { return targets_.size(); }
    const egress::TestTarget& target(std::size_t at) const { return targets_[at]; }

    void done(std::size_t at, const egress::SelfTestReport& report) {
        all_passed_ = all_passed_ && report.passed();
        reports_[at] = report_json(targets_[at], report);
        if (--left_ > 0 || is_over_) return;
        reply_.send(http::json_response(200, is_declared_ ? json{{"passed", all_passed_}, {"reports", std::move(reports_)}} : std::move(reports_.front())));
    }
    void failed(const Error& error) {
        if (!std::exchange(is_over_, true)) reply_.send(to_response(error));
        --left_;
    }

private:
    std::vector<egress::TestTarget> targets_;
    bool is_declared_ = false, all_passed_ = true, is_over_ = false;
    Reply reply_;
    std::vector<json> reports_;
    std::size_t left_ = 0;
};

boost::asio::awaitable<void> run_test(std::shared_ptr<streams::GuestStream> stream, std::shared_ptr<EgressRound> round, std::size_t at) {
    auto report = co_await egress::run_self_test(std::move(*stream), round->target(at), test_limit);
    round->done(at, report);
}

void begin_test(const Context& context, const InstanceId& id, const std::shared_ptr<EgressRound>& round, std::size_t at) {
    auto opened = [round, at, &relays = context.relays](Result<streams::GuestStream> stream) {
        if (!stream) return round->failed(stream.error().with_context("the proxy in the VM"));
        auto shared = std::make_shared<streams::GuestStream>(std::move(*stream));
        relays.hold("egress.test", [shared, round, at] { return run_test(shared, round, at); });
    };
    context.control.open_stream(id, streams::encode(streams::Opening(streams::TcpOpening{guest_proxy_port})), std::move(opened));
}

}  // namespace

void test_egress(const Context& context, const Request& request, const Reply& reply) {
    const auto id = existing_id(context, request);
    if (!id) return reply.send(to_response(id.error()));
    const auto look = look_at(context, request);
    if (!look) return reply.send(to_response(look.error()));
    const auto asked = parse_egress_test(request.body);
    if (!asked) return reply.send(to_response(asked.error()));
    const auto& spec = look->state.spec;
    auto targets = *asked ? targets_of({**asked}) : declared_targets(context, machine::image_reference(spec));
    if (!targets) return reply.send(to_response(targets.error()));
    if (spec.egress.empty())
        return reply.send(to_response(Error(Errc::conflict, "the spec of " + look->row.name.value() + " names no egress policy, so nothing leaves it; vigil up --egress gives one")));
    if (const auto policy = machine::parse_egress_policy(spec.egress); policy && policy->upstream)
        for (auto& target : *targets) target.upstream = policy->upstream->host + ":" + std::to_string(policy->upstream->port);
    const auto round = std::make_shared<EgressRound>(std::move(*targets), !asked->has_value(), reply);
    for (std::size_t at = 0; at < round->size(); ++at) begin_test(context, *id, round, at);
}

}  // namespace vigil::api
