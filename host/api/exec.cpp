// A program in the guest in one call: for clients that want its result and no stream.
#include "host/api/error_to_http.hpp"
#include "host/api/request_reading.hpp"
#include "host/api/to_json.hpp"
#include "host/streams/run_program.hpp"
#include "shared/base/encoding.hpp"
#include "shared/json/json.hpp"
#include "shared/streams/opening.hpp"

#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

namespace vigil::api {

namespace {

using nlohmann::json;

constexpr std::int64_t default_timeout_s = 60, max_timeout_s = 170;   // below the server's deadline for an answer
constexpr std::size_t max_input_bytes = 256 * 1024;                   // what the guest keeps for a program that does not read yet

struct ExecOrder {
    std::string opening, input;
    std::chrono::seconds timeout{default_timeout_s};
};

Result<ExecOrder> parse_exec(const std::string& body) {
    TRY(order, parse_json(body));
    if (!order.is_object()) return Error(Errc::invalid, "the body must be a JSON object");
    TRY_VOID(refuse_unknown_keys(order, {"argv", "env", "cwd", "user", "stdin_b64", "timeout_s"}));
    ExecOrder exec;
    if (order.contains("stdin_b64")) {
        TRY(input, read_bytes(order, "stdin_b64", max_input_bytes));
        exec.input = std::move(input);
    }
    TRY(timeout, try_read_integer(order, "timeout_s", 1, max_timeout_s));
    exec.timeout = std::chrono::seconds(timeout.value_or(default_timeout_s));
    order.erase("stdin_b64");
    order.erase("timeout_s");
    order["v"] = 1;
    order["op"] = "exec";
    order["stdin"] = !exec.input.empty();
    TRY(opening, streams::decode_opening(dump_json(order)));
    if (std::get<streams::ExecOpening>(opening).argv.empty()) return Error(Errc::invalid, "argv: no program is named");
    exec.opening = streams::encode(opening);
    return exec;
}

json result_json(const streams::ProgramResult& result) {
    return {{"exit", exit_json(result.exit)},   {"stdout_b64", to_base64(result.out)}, {"stderr_b64", to_base64(result.err)},
            {"stdout_lost", result.out_lost}, {"stderr_lost", result.err_lost}};
}

}  // namespace

void run_exec(const Context& context, const Request& request, const Reply& reply) {
    const auto id = existing_id(context, request);
    if (!id) return reply.send(to_response(id.error()));
    auto exec = parse_exec(request.body);
    if (!exec) return reply.send(to_response(exec.error()));
    auto ended = [reply](Result<streams::ProgramResult> result) {
        reply.send(result ? http::json_response(200, result_json(*result)) : to_response(result.error()));
    };
    auto opened = [reply, &relays = context.relays, input = std::move(exec->input), timeout = exec->timeout, ended](Result<streams::GuestStream> stream) {
        if (!stream) return reply.send(to_response(stream.error()));
        relays.run(std::move(*stream), input, {timeout}, ended);
    };
    context.control.open_stream(*id, std::move(exec->opening), std::move(opened));
}

}  // namespace vigil::api
