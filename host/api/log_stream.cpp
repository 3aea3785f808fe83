// Logs of services as server-sent events: what is there, and with follow what comes, until the run is over.
#include "host/api/error_to_http.hpp"
#include "host/api/request_reading.hpp"
#include "host/logs/log_view.hpp"
#include "shared/base/encoding.hpp"
#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

#include <charconv>

namespace vigil::api {

namespace {

constexpr std::size_t batch_bytes = 256 * 1024;

http::StreamEvent to_event(const logs::LogRecord& record) {
    nlohmann::json data = {{"at_unix_us", record.at_unix_us},
                           {"service", record.service},
                           {"stream", record.stream == logs::LogStream::out ? "stdout" : "stderr"},
                           {"offset", record.offset},
                           {"data_b64", to_base64(record.bytes)}};
    if (record.lost != 0) {
        data["lost"] = record.lost;
        data["why_lost"] = record.why;
    }
    return {std::nullopt, "log", dump_json(data)};
}

class LogSource final : public http::EventSource {
  public:
    LogSource(VmControl& control, blackbox::Shelf::Folder folder, logs::LogHub::Run run, logs::LogQuery query, bool follow)
        : hub_(control.log_hub()), folder_(std::move(folder)), run_(std::move(run)), follow_(follow), view_(*folder_, std::move(query)) {
        auto wake = wake_;
        token_ = hub_.listen(run_, [wake] {
            if (*wake) (*wake)();
        });
    }

    Result<Batch> next() override {
        Batch batch;
        if (view_.is_counting()) {
            view_.count_some();
            if (*wake_) (*wake_)();
            return batch;
        }
        const bool may_grow = follow_ && hub_.is_open(run_);
        std::size_t size = 0;
        while (size < batch_bytes) {
            const auto record = view_.next();
            if (!record) {
                batch.ended = !may_grow;
                break;
            }
            batch.events.push_back(to_event(*record));
            size += batch.events.back().data.size();
        }
        return batch;
    }
    void on_more(std::function<void()> wake) override { *wake_ = std::move(wake); }

  private:
    logs::LogHub& hub_;
    blackbox::Shelf::Folder folder_;
    logs::LogHub::Run run_;
    bool follow_;
    logs::LogView view_;
    std::shared_ptr<std::function<void()>> wake_ = std::make_shared<std::function<void()>>();  // shared with the hub, whose call may outlive us
    logs::LogHub::Token token_;
};

Result<std::optional<std::uint64_t>> number_of(const Request& request, const std::string& key) {
    const auto text = request.query_value(key);
    if (!text) return std::optional<std::uint64_t>();
    std::uint64_t number = 0;
    const auto [end, failure] = std::from_chars(text->data(), text->data() + text->size(), number);
    if (failure != std::errc() || end != text->data() + text->size()) return Error(Errc::invalid, key + ": not a number");
    return std::optional(number);
}

/// A service that is not there yet can be waited for as long as the run goes on.
enum class Unknown { refused, awaited };

Result<logs::LogQuery> query_of(const Request& request, const machine::Run& run, const std::filesystem::path& directory, Unknown unknown) {
    logs::LogQuery query;
    TRY(since, number_of(request, "since"));
    TRY(tail, number_of(request, "tail"));
    query.since_unix_us = since.value_or(0);
    query.tail = tail;
    const auto service = request.query_value("service");
    if (!service) return query;
    TRY(name, parse_service_name(*service));
    query.service = name.value();
    const bool is_known = unknown == Unknown::awaited || run.services.contains(name) || std::filesystem::exists(directory / (name.value() + ".log"));
    if (!is_known) return Error(Errc::not_found, "run " + std::to_string(run.number.value()) + " has no service " + name.value());
    return query;
}

void answer_with_logs(const Context& context, const Request& request, const Reply& reply, bool follow) {
    const auto look = look_at(context, request);
    if (!look) return reply.send(to_response(look.error()));
    if (!look->state.run) return reply.send(to_response(Error(Errc::not_found, look->row.name.value() + " has never been started")));
    const auto run = std::make_shared<machine::Run>(*look->state.run);
    context.control.service_logs(look->row.id, run->number, [reply, run, request, id = look->row.id, follow, &control = context.control](Result<blackbox::Shelf::Folder> folder) {
        if (!folder) return reply.send(to_response(folder.error()));
        const logs::LogHub::Run of{id, run->number};
        auto query = query_of(request, *run, **folder, follow && control.log_hub().is_open(of) ? Unknown::awaited : Unknown::refused);
        if (!query) return reply.send(to_response(query.error()));
        reply.stream(std::make_unique<LogSource>(control, *folder, of, std::move(*query), follow));
    });
}

}  // namespace

void stream_logs(const Context& context, const Request& request, const Reply& reply) {
    const auto follow = flag_of(request, "follow");
    if (!follow) return reply.send(to_response(follow.error()));
    answer_with_logs(context, request, reply, *follow);
}

void follow_logs(const Context& context, const Request& request, const Reply& reply) { answer_with_logs(context, request, reply, true); }

}  // namespace vigil::api
