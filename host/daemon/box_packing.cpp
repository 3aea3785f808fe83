#include "host/daemon/box_packing.hpp"

#include "host/api/crash_groups.hpp"
#include "host/api/to_json.hpp"
#include "host/blackbox/masking.hpp"
#include "host/daemon/evidence.hpp"
#include "host/fault/fault_point.hpp"
#include "host/logs/masker.hpp"
#include "host/machine/event_codec.hpp"
#include "host/shim/bounded_file.hpp"
#include "host/shim/exit_record.hpp"
#include "host/shim/shim_spec.hpp"
#include "shared/json/json.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>

namespace vigil::daemon {

namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t events_a_page = 500, first_events = 5'000, last_events = 30'000;
constexpr std::uint64_t max_file_bytes = 1ULL << 30;
constexpr const char* boxed_mark = "boxed";

nlohmann::json index_of(const machine::VmState& state, const InstanceName& name) {
    const auto& run = *state.run;
    nlohmann::json index = {{"instance", state.id.value()}, {"run", run.number.value()}, {"name", name.value()},
                            {"image", machine::image_reference(state.spec)},
                            {"started_unix_us", run.started_unix_us}, {"ended_unix_us", run.end ? run.end->at_unix_us : 0}, {"crashes", api::crash_index_json(state)}};
    index["outcome"] = run.outcome ? nlohmann::json(to_text(*run.outcome)) : nlohmann::json(nullptr);
    index["cause"] = state.announced && state.announced->cause ? api::to_json(*state.announced->cause) : nlohmann::json(nullptr);
    return index;
}

std::string text_of_file(const fs::path& path) {
    std::error_code failure;
    if (fs::file_size(path, failure) > max_file_bytes || failure) return "";
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::string kept_text(const std::string& path, const shim::KeepCaps& caps) {
    const auto kept = shim::read_kept(path, caps);
    return kept ? shim::as_text(*kept) : "[vigil: " + kept.error().message() + "]\n";
}

std::string timeline_of(const BoxJob& job) {
    std::string text;
    for (const auto& event : job.first_events) text += blackbox::masked_json(event, job.secrets) + '\n';
    if (job.left_out != 0) text += "{\"type\":\"left_out\",\"count\":" + std::to_string(job.left_out) + "}\n";
    for (const auto& event : job.last_events) text += blackbox::masked_json(event, job.secrets) + '\n';
    return text;
}

std::string tail_text(const fs::path& log_dir) {
    std::string text;
    for (const auto& line : read_console_tail(log_dir)) text += line + '\n';
    return text;
}

Result<void> add_services(blackbox::ArchiveWriter& writer, const BoxJob& job) {
    std::error_code failure;
    for (fs::directory_iterator each(job.log_dir / "services", failure), end; !failure && each != end; each.increment(failure)) {
        const auto text = logs::masked(text_of_file(each->path()), job.secrets);
        TRY_VOID(writer.add("services/" + each->path().filename().string(), text, job.ended_unix_us));
    }
    return {};
}

std::uint32_t run_of_directory(const fs::path& path) {
    const auto name = path.filename().string();
    std::uint32_t run = 0;
    const auto [end, failure] = std::from_chars(name.data(), name.data() + name.size(), run);
    return failure == std::errc() && end == name.data() + name.size() ? run : 0;
}

}  // namespace

asio::awaitable<Result<BoxJob>> collect_box(RunHost* host, store::Store* store, InstanceName name, machine::VmState state, std::vector<std::string> secrets) {
    auto executor = co_await asio::this_coro::executor;
    BoxJob job;
    job.name = {state.id, state.run->number};
    job.box = host->places.blackboxes() / job.name.file();
    job.log_dir = host->places.log_dir(state.id, state.run->number);
    job.ended_unix_us = state.run->end ? state.run->end->at_unix_us : host->clock.unix_us();
    job.secrets = std::move(secrets);
    store::EventQuery query;
    query.instance = state.id;
    query.run = state.run->number;
    query.limit = events_a_page;
    std::uint64_t count = 0;
    for (;;) {
        const auto page = store->events(query);
        if (!page) co_return page.error();
        for (const auto& event : *page) {
            ++count;
            auto text = machine::shown_event_json(event);
            if (job.first_events.size() < first_events) {
                job.first_events.push_back(std::move(text));
                continue;
            }
            job.last_events.push_back(std::move(text));
            if (job.last_events.size() <= last_events) continue;
            job.last_events.pop_front();
            ++job.left_out;
        }
        if (page->size() < query.limit) break;
        query.after = page->back().seq;
        co_await asio::post(executor, asio::use_awaitable);
    }
    auto index = index_of(state, name);
    index["events"] = count;
    index["events_left_out"] = job.left_out;
    job.index_json = dump_json(index);
    job.spec_json = machine::encode_spec(state.spec);
    job.why_json = dump_json(api::why_json(state, read_console_tail(job.log_dir)));
    job.crashes_json = dump_json(api::crashes_json(*state.run));
    const auto image = host->images.resolve(machine::image_reference(state.spec));
    if (image) job.image_json = text_of_file(image->directory / "manifest.json");
    co_return std::move(job);
}

Result<void> pack_box(const BoxJob& job) {
    const fault::Around around(fault::Step::pack_box);
    blackbox::ArchiveWriter writer(job.box);
    TRY_VOID(writer.open());
    const auto add = [&](const char* name, const std::string& text) -> Result<void> {
        if (text.empty()) return {};
        return writer.add(name, text, job.ended_unix_us);
    };
    const auto json = [&](const std::string& text) { return blackbox::masked_json(text, job.secrets); };
    const auto plain = [&](std::string text) { return logs::masked(std::move(text), job.secrets); };
    const auto log_dir = job.log_dir.string();
    TRY_VOID(add("index.json", json(job.index_json)));
    TRY_VOID(add("why.json", json(job.why_json)));
    TRY_VOID(add("console_tail.txt", plain(tail_text(job.log_dir))));
    TRY_VOID(add("spec.json", json(job.spec_json)));
    TRY_VOID(add("image.json", job.image_json));
    TRY_VOID(add("crashes.json", json(job.crashes_json)));
    TRY_VOID(add("exit.json", json(text_of_file(shim::exit_record_path(log_dir)))));
    TRY_VOID(add("timeline.jsonl", timeline_of(job)));
    TRY_VOID(add("vmm.log", plain(kept_text(shim::vmm_log_path(log_dir), shim::vmm_log_caps))));
    TRY_VOID(add("console.log", plain(kept_text(shim::console_log_path(log_dir), shim::console_caps))));
    TRY_VOID(add_services(writer, job));
    TRY_VOID(writer.finish());
    std::error_code failure;
    fs::create_directories(job.log_dir, failure);
    std::ofstream mark(job.log_dir / boxed_mark);
    return {};
}

Result<void> pack_stray_runs(const Places& places, const InstanceId& id, const std::string& reason) {
    std::error_code failure;
    for (fs::directory_iterator each(places.instance(id) / "runs", failure), end; !failure && each != end; each.increment(failure)) {
        const auto run = run_of_directory(each->path());
        if (run == 0 || is_boxed(each->path())) continue;
        BoxJob job;
        job.name = {id, RunNumber(run)};
        job.box = places.blackboxes() / job.name.file();
        job.log_dir = each->path();
        if (const auto exit = shim::read_exit_record(shim::exit_record_path(job.log_dir.string()))) job.ended_unix_us = exit->ended_unix_us;
        job.index_json = dump_json(nlohmann::json{{"instance", id.value()}, {"run", run}, {"name", ""}, {"image", ""}, {"started_unix_us", 0},
                                                  {"ended_unix_us", job.ended_unix_us}, {"outcome", nullptr}, {"cause", nullptr}, {"events", 0},
                                                  {"crashes", nlohmann::json::array()}, {"stray", reason}});
        job.spec_json = text_of_file(places.instance(id) / "spec.json");
        TRY_VOID(pack_box(job));
    }
    return {};
}

bool is_boxed(const fs::path& log_dir) {
    std::error_code ignored;
    return fs::exists(log_dir / boxed_mark, ignored);
}

void drop_old_runs(const Places& places, const InstanceId& id, std::size_t keep) {
    const fault::Around around(fault::Step::drop_runs);
    std::vector<std::pair<std::uint32_t, fs::path>> runs;
    std::error_code failure;
    for (fs::directory_iterator each(places.instance(id) / "runs", failure), end; !failure && each != end; each.increment(failure))
        if (const auto run = run_of_directory(each->path()); run != 0) runs.emplace_back(run, each->path());
    std::ranges::sort(runs, std::greater<>());
    for (std::size_t i = keep; i < runs.size(); ++i)
        if (is_boxed(runs[i].second)) fs::remove_all(runs[i].second, failure);
}

}  // namespace vigil::daemon
