#include "host/machine/reduce.hpp"
#include "host/metrics/vm_metrics.hpp"

#include <catch2/catch_test_macros.hpp>

#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>

namespace vigil::metrics {
namespace {

using machine::VmEvent;
using machine::VmState;

struct Sample {
    std::string family;
    std::map<std::string, std::string> labels;
    double value = 0;
};

struct Parsed {
    std::map<std::string, std::string> types;
    std::vector<Sample> samples;
    double value(const std::string& name, const std::map<std::string, std::string>& labels = {}) const {
        for (const auto& sample : samples)
            if (sample.family == name && sample.labels == labels) return sample.value;
        FAIL("no sample " << name);
        return 0;
    }
};

/// A strict reader of the text format: a family's lines stand together under its HELP and TYPE, names and labels are well formed, no sample comes twice.
Parsed parse(const std::string& text) {
    Parsed parsed;
    std::istringstream lines(text);
    std::string line, family;
    std::set<std::string> seen;
    REQUIRE(text.ends_with('\n'));
    while (std::getline(lines, line)) {
        if (line.starts_with("# HELP ")) {
            family = line.substr(7, line.find(' ', 7) - 7);
            REQUIRE(!parsed.types.contains(family));
            continue;
        }
        if (line.starts_with("# TYPE ")) {
            std::istringstream words(line.substr(7));
            std::string name, type;
            words >> name >> type;
            REQUIRE(name == family);
            REQUIRE((type == "counter" || type == "gauge" || type == "histogram"));
            if (type == "counter") REQUIRE(name.ends_with("_total"));
            parsed.types[name] = type;
            continue;
        }
        const auto name_end = line.find_first_of("{ ");
        REQUIRE(name_end != std::string::npos);
        Sample sample{line.substr(0, name_end), {}, 0};
        REQUIRE(sample.family.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string::npos);
        REQUIRE(sample.family.starts_with(family));
        std::size_t at = name_end;
        while (line[at] == '{' || line[at] == ',') {
            const auto equals = line.find("=\"", at);
            REQUIRE(equals != std::string::npos);
            std::string value;
            std::size_t end = equals + 2;
            for (; line.at(end) != '"'; ++end) {
                if (line[end] == '\\') ++end;
                value += line.at(end);
            }
            REQUIRE(sample.labels.emplace(line.substr(at + 1, equals - at - 1), value).second);
            at = end + 1;
        }
        if (line[at] == '}') ++at;
        REQUIRE(line[at] == ' ');
        std::size_t used = 0;
        sample.value = std::stod(line.substr(at + 1), &used);
        REQUIRE(at + 1 + used == line.size());
        REQUIRE(seen.insert(line.substr(0, at)).second);
        parsed.samples.push_back(std::move(sample));
    }
    return parsed;
}

struct Scene {
    VmState state;
    VmMetrics metrics;
    machine::EventSeq seq = 0;
    MonoUs now = 1'000'000;
    std::uint32_t run = 0;

    void happens(machine::EventBody body, MonoUs after_us = 1000) {
        now += after_us;
        VmEvent event{++seq, InstanceId("vm-0123456789"), RunNumber(run), now, now, std::move(body)};
        machine::reduce(state, event);
        metrics.observe(state, event);
    }
    void reported(protocol::ReportBody body, MonoUs after_us = 1000) {
        protocol::Report report;
        report.boot = BootId("b");
        report.seq = seq;
        report.mono_us = now;
        report.body = std::move(body);
        happens(machine::Reported{report, machine::Channel::link, false, 0}, after_us);
    }
    void starts() {
        happens(machine::Created{});
        run = 1;
        happens(machine::StartRequested{"test", {}});
        happens(machine::VmmStarted{}, 500'000);
    }
    Parsed scrape() const { return parse(metrics.text({&state}, {"1.2 \"x\"\n\\", 42, 3, 4096, 0})); }
};

TEST_CASE("metrics: an idle daemon gives a page that parses, with every family typed", "[host][metrics]") {
    const auto page = parse(VmMetrics().text({}, {"1", 0, 0, 0, 0}));
    CHECK(page.types.size() > 20);
    CHECK(page.value("vigil_instances", {{"state", "ready"}}) == 0);
    CHECK(page.value("process_resident_memory_bytes") > 100'000);
    CHECK(page.value("process_open_fds") >= 3);
    for (const auto& [name, type] : page.types) {
        CAPTURE(name);
        const bool may_be_empty = name == "vigil_crashes_total" || name == "vigil_events_total";
        const bool has_samples = std::any_of(page.samples.begin(), page.samples.end(), [&](const Sample& sample) { return sample.family.starts_with(name); });
        CHECK((has_samples || may_be_empty));
    }
}

TEST_CASE("metrics: a boot is counted once, stage by stage, with the lag of its services", "[host][metrics]") {
    Scene scene;
    scene.starts();
    scene.happens(machine::LinkUp{BootId("b"), 0, "initrd", "1", "", "", "", 1}, 2'000'000);
    scene.happens(machine::ClockSynced{0, 100});
    protocol::ServiceReport service;
    service.name = ServiceName("web");
    service.state = protocol::ServiceState::ready;
    service.essential = true;
    scene.reported(service, 40'000);
    scene.reported(protocol::StageReport{protocol::Stage::services, protocol::StageReport::Phase::done, "", {}});
    scene.reported(protocol::StageReport{protocol::Stage::ready, protocol::StageReport::Phase::done, "", {}});
    scene.reported(protocol::HealthReport{});
    const auto page = scene.scrape();
    CHECK(page.value("vigil_ready_seconds_count") == 1);
    CHECK(page.value("vigil_ready_seconds_sum") > 2.5);
    CHECK(page.value("vigil_boot_stage_seconds_count", {{"stage", "vmm"}}) == 1);
    CHECK(page.value("vigil_boot_stage_seconds_bucket", {{"stage", "vmm"}, {"le", "0.25"}}) == 0);
    CHECK(page.value("vigil_boot_stage_seconds_bucket", {{"stage", "vmm"}, {"le", "1"}}) == 1);
    CHECK(page.value("vigil_boot_stage_seconds_bucket", {{"stage", "vmm"}, {"le", "+Inf"}}) == 1);
    CHECK(page.value("vigil_readiness_lag_seconds_count") == 1);
    CHECK(page.value("vigil_readiness_lag_seconds_sum") > 0.03);
    CHECK(page.value("vigil_instances", {{"state", "ready"}}) == 1);
    CHECK(page.value("vigil_services", {{"state", "ready"}}) == 1);
    CHECK(page.value("vigil_links") == 1);
    CHECK(page.value("vigil_links_made_total") == 1);
    CHECK(page.value("vigil_daemon_info", {{"version", "1.2 \"x\"n\\"}}) == 1);   // the reader takes the n of \n as it stands
}

TEST_CASE("metrics: crashes by cause, ends by outcome, losses by reason; a guest's words are no labels", "[host][metrics]") {
    Scene scene;
    scene.starts();
    protocol::CrashReport crash;
    crash.crash = "web-1";
    crash.cause = protocol::make_cause(protocol::CauseCode::service_exited, {{"code", std::int64_t{3}}});
    scene.reported(crash);
    for (int i = 0; i < 100; ++i) {
        crash.crash = "web-" + std::to_string(i + 2);
        crash.cause.code = protocol::CauseCode::unlisted;
        crash.cause.text = "invented." + std::to_string(i);
        scene.reported(crash);
        scene.reported(protocol::OtherReport{"invented_" + std::to_string(i), "{}"});
        scene.happens(machine::LogsLost{"web", 10, "invented" + std::to_string(i)});
    }
    scene.reported(protocol::DroppedReport{});
    scene.happens(machine::LogsLost{"web", 1000, "rate"});
    scene.happens(machine::VmmExited{protocol::ExitSignal{9, false}, "", 0, 0, 0, 0, {}});
    const auto page = scene.scrape();
    CHECK(page.value("vigil_crashes_total", {{"cause", "service.exited"}}) == 1);
    CHECK(page.value("vigil_crashes_total", {{"cause", "unlisted"}}) == 100);
    CHECK(page.value("vigil_events_total", {{"type", "other"}}) == 100);
    CHECK(page.value("vigil_service_log_lost_bytes_total", {{"reason", "rate"}}) == 1000);
    CHECK(page.value("vigil_service_log_lost_bytes_total", {{"reason", "other"}}) == 1000);
    CHECK(page.value("vigil_runs_ended_total", {{"outcome", "crashed"}}) == 1);
    CHECK(page.samples.size() < 250);
}

}  // namespace
}  // namespace vigil::metrics
