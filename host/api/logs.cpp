// A service's output as one text: its log; where none was written (a run of an older daemon, an agent that cannot be followed), the tails of its crash reports and what
// the process that lives has said, asked of the agent.
#include "host/api/error_to_http.hpp"
#include "host/api/request_reading.hpp"
#include "host/logs/log_view.hpp"
#include "shared/base/encoding.hpp"
#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

namespace vigil::api {

namespace {

using nlohmann::json;

constexpr std::size_t max_tail_b64 = 90 * 1024;   // 64 KiB of bytes

void add_gap(std::string& out, const logs::LogRecord& record) {
    if (!out.empty() && out.back() != '\n') out += '\n';
    const auto* const stream = record.stream == logs::LogStream::out ? "stdout" : "stderr";
    out += "[vigil: " + std::to_string(record.lost) + " bytes of " + stream + " are not kept: " + record.why + "]\n";
}

/// Our own words among the guest's bytes: each on a line of its own, in brackets.
void add_part(std::string& out, const std::string& title, const std::string& bytes) {
    if (bytes.empty()) return;
    out += "[vigil: " + title + "]\n" + bytes;
    if (out.back() != '\n') out += '\n';
}

std::string said_before(const machine::Run& run, const std::string& service) {
    std::string out;
    for (const auto& record : run.crashes) {
        const auto& crash = record.report;
        if (crash.service != service || crash.origin) continue;
        add_part(out, crash.process + " pid " + std::to_string(crash.pid) + ", " + protocol::to_text(crash.exit), crash.stdout_tail + crash.stderr_tail);
    }
    return out;
}

Result<std::string> stream_of(const json& answer, const std::string& name) {
    TRY(b64, read_string(answer, (name + "_tail_b64").c_str(), max_tail_b64));
    return from_base64(b64);
}

/// The agent's answer is a guest's word: read with limits.
Result<std::string> said_now(const std::string& answer_text, const std::string& service) {
    TRY(answer, parse_json(answer_text));
    if (!answer.is_object()) return Error(Errc::protocol, "the agent's answer is no object");
    TRY(out, stream_of(answer, "stdout"));
    TRY(err, stream_of(answer, "stderr"));
    std::string text;
    add_part(text, service + ", stdout until now", out);
    add_part(text, service + ", stderr until now", err);
    return text;
}

/// All that is kept of its log; nullopt when there is none.
std::optional<std::string> logged(const std::filesystem::path& directory, const std::string& service) {
    logs::LogQuery query;
    query.service = service;
    logs::LogView view(directory, std::move(query));
    std::optional<std::string> text;
    while (const auto record = view.next()) {
        if (!text) text.emplace();
        if (record->lost != 0) add_gap(*text, *record);
        *text += record->bytes;
    }
    return text;
}

http::Response octets(std::string bytes) { return {200, "application/octet-stream", std::move(bytes), {}}; }

void answer_without_log(VmControl& control, const Look& look, const std::string& service, const Reply& reply) {
    const auto before = said_before(*look.state.run, service);
    if (look.state.run->end) return reply.send(octets(before));
    const json args = {{"name", service}};
    control.ask_guest(look.row.id, {"logs", args.dump()}, [reply, before, service](Result<std::string> answer) {
        const auto now = answer ? said_now(*answer, service) : Result<std::string>(answer.error());
        if (!now && before.empty()) return reply.send(to_response(now.error()));
        reply.send(octets(before + (now ? *now : "[vigil: " + now.error().message() + "]\n")));
    });
}

}  // namespace

void get_logs(const Context& context, const Request& request, const Reply& reply) {
    const auto look = look_at(context, request);
    if (!look) return reply.send(to_response(look.error()));
    const auto& service = request.parameter("service");
    const auto& run = look->state.run;
    if (!run || !run->services.contains(ServiceName(service)))
        return reply.send(to_response(Error(Errc::not_found, "run " + std::to_string(run ? run->number.value() : 0) + " has no service " + service)));
    const auto known = std::make_shared<Look>(*look);
    context.control.service_logs(look->row.id, run->number, [reply, known, service, &control = context.control](Result<blackbox::Shelf::Folder> folder) {
        if (auto log = folder ? logged(**folder, service) : std::optional<std::string>()) return reply.send(octets(std::move(*log)));
        answer_without_log(control, *known, service, reply);
    });
}

}  // namespace vigil::api
