// A program in the guest in one call: its result when it has ended, or, for a client that accepts text/event-stream, its output while it runs.
#include "host/api/error_to_http.hpp"
#include "host/api/program_events.hpp"
#include "host/api/request_reading.hpp"
#include "host/api/to_json.hpp"
#include "host/streams/run_program.hpp"
#include "shared/base/encoding.hpp"
#include "shared/json/json.hpp"
#include "shared/streams/chunk.hpp"
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
    std::optional<std::chrono::seconds> timeout;
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
    if (timeout) exec.timeout = std::chrono::seconds(*timeout);
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

bool wants_events(const Request& request) { return request.header("accept").value_or("").find("text/event-stream") != std::string::npos; }

void tell_while_it_runs(const Context& context, const InstanceId& id, ExecOrder exec, const Reply& reply) {
    if (exec.timeout) return reply.send(to_response(Error(Errc::invalid, "timeout_s: a streamed answer ends with the program and has no deadline; leave it out, or do not ask for text/event-stream")));
    std::string chunks;
    if (!exec.input.empty()) {
        streams::append_chunks(chunks, streams::Channel::data, exec.input);
        streams::append_end(chunks, streams::Channel::data);
    }
    tell_program(context, id, std::move(exec.opening), std::move(chunks), reply);
}

void answer_at_its_end(const Context& context, const InstanceId& id, ExecOrder exec, const Reply& reply) {
    auto ended = [reply](Result<streams::ProgramResult> result) {
        reply.send(result ? http::json_response(200, result_json(*result)) : to_response(result.error()));
    };
    const auto timeout = exec.timeout.value_or(std::chrono::seconds(default_timeout_s));
    auto opened = [reply, &relays = context.relays, input = std::move(exec.input), timeout, ended](Result<streams::GuestStream> stream) {
        if (!stream) return reply.send(to_response(stream.error()));
        relays.run(std::move(*stream), input, {timeout}, ended);
    };
    context.control.open_stream(id, std::move(exec.opening), std::move(opened));
}

}  // namespace

void run_exec(const Context& context, const Request& request, const Reply& reply) {
    const auto id = existing_id(context, request);
    if (!id) return reply.send(to_response(id.error()));
    auto exec = parse_exec(request.body);
    if (!exec) return reply.send(to_response(exec.error()));
    const auto& answer = wants_events(request) ? tell_while_it_runs : answer_at_its_end;
    answer(context, *id, std::move(*exec), reply);
}

}  // namespace vigil::api
