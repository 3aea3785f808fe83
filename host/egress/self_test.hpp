// Asks for one destination as a program in the VM would, and says how far that got: proxy, policy, resolve, connect, upstream, tls, status.
//
// Shape:  `stream` is a connection to the proxy inside the VM, so the whole way is gone: guest, vsock, policy, resolver, upstream proxy, destination. What the way
//         out refuses is counted and told as any refusal. A step behind the one that failed is not in the report.
//         With an upstream proxy the step `upstream` is that proxy itself: its name, its port, what it answers to CONNECT, and a 407.
// Errors: parse_test_target: Errc::invalid.
#pragma once

#include "host/egress/proxy_request.hpp"
#include "host/streams/guest_stream.hpp"
#include "shared/base/enum_names.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vigil::egress {

enum class TestStep { proxy, policy, resolve, connect, upstream, tls, status };

struct TestTarget {
    Destination destination;
    bool tls = true;
    std::string path = "/";
    std::string upstream{};            // HOST:PORT of the policy's upstream proxy; empty: none. Then `upstream` stands where resolve and connect are: both are its work
    std::string text() const;          // "https://name:443/"
};

/// "https://NAME[:PORT][/PATH]", "http://..."; without a scheme https.
Result<TestTarget> parse_test_target(std::string_view text);

struct TestStepResult {
    TestStep step = TestStep::proxy;
    bool passed = false;
    std::string detail;                // what was found, or what is wrong
};

struct SelfTestReport {
    std::vector<TestStepResult> steps;
    std::string cause;                 // egress.*; empty: none is known
    std::uint64_t took_ms = 0;
    bool passed() const { return !steps.empty() && steps.back().passed && steps.back().step == TestStep::status; }
};

boost::asio::awaitable<SelfTestReport> run_self_test(streams::GuestStream stream, TestTarget target, std::chrono::milliseconds limit);

}  // namespace vigil::egress

namespace vigil {
template <> inline constexpr auto enum_table<egress::TestStep> = make_enum_table<egress::TestStep>({
    {egress::TestStep::proxy, "proxy"}, {egress::TestStep::policy, "policy"}, {egress::TestStep::resolve, "resolve"}, {egress::TestStep::connect, "connect"},
    {egress::TestStep::upstream, "upstream"}, {egress::TestStep::tls, "tls"}, {egress::TestStep::status, "status"}});
}  // namespace vigil
