// Every rule by which something is touched has a neighbour here that must be left alone.
#include "host/reconcile/plan.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>

namespace vigil::reconcile {

namespace {

constexpr UnixUs now = 1'700'000'000'000'000, long_ago = now - 3'600'000'000;
const InstanceId ours("vm-0000000001"), gone("vm-0000000002"), unknown("vm-0000000003");
const std::string state_dir = "/var/lib/vigil";

struct Scene {
    Seen seen{state_dir, {}, {}, {}, {}, {}};
    Knowledge knowledge{{}, true, {}, now};

    void knows(const InstanceId& id, bool removed, bool busy, UnixUs idle_since = long_ago) { knowledge.instances.push_back({id, removed, busy, idle_since}); }
    /// A shim with its VMM and device, as a run has them.
    void runs(const InstanceId& id, std::int64_t pid, std::uint64_t ticks, const std::string& owner = state_dir) {
        seen.processes.push_back({{pid, ticks}, 1, Program::shim, Claim::state, id});
        seen.processes.push_back({{pid + 1, ticks}, pid, Program::device, Claim::run, id});
        seen.processes.push_back({{pid + 2, ticks + 1}, pid, Program::vmm, Claim::state, id});
        seen.run_dirs.push_back({id, owner, {pid, ticks}, true});
        seen.instance_dirs.push_back({id, false});
        seen.groups.push_back(id);
    }
    Plan made() const { return plan(seen, knowledge); }
    std::vector<Act> acts() const {
        std::vector<Act> acts;
        for (const auto& each : made().actions) acts.push_back(each.act);
        return acts;
    }
};

}  // namespace

TEST_CASE("reconcile: nothing of a VM that runs, or that stands still, is touched", "[host][reconcile]") {
    Scene scene;
    scene.knows(ours, false, true);
    scene.runs(ours, 100, 5000);
    const InstanceId still("vm-0000000009");
    scene.knows(still, false, false);
    scene.seen.instance_dirs.push_back({still, false});
    CHECK(scene.acts().empty());
    CHECK(scene.made().spared.empty());
}

TEST_CASE("reconcile: a run that has just been opened has no note yet, and is spared all the same", "[host][reconcile]") {
    Scene scene;
    scene.knows(ours, false, true);
    scene.runs(ours, 100, 5000);
    scene.seen.run_dirs[0].shim = {};
    scene.seen.run_dirs[0].shim_lives = false;
    scene.seen.instance_dirs[0].has_draft = true;   // its disk is being made
    CHECK(scene.acts().empty());
}

TEST_CASE("reconcile: a VMM that is older than the run's shim is of an earlier run, and ends", "[host][reconcile]") {
    Scene scene;
    scene.knows(ours, false, true);
    scene.runs(ours, 100, 5000);
    scene.seen.processes.push_back({{77, 4000}, 1, Program::vmm, Claim::state, ours});
    const auto made = scene.made();
    REQUIRE(made.actions.size() == 1);
    CHECK(made.actions[0].act == Act::end_process);
    CHECK(made.actions[0].process.pid == 77);
    scene.knowledge.told.insert(77);
    CHECK(scene.acts() == std::vector{Act::kill_process});
    scene.seen.run_dirs[0].shim_lives = false;      // then nothing says which is the earlier one
    CHECK(scene.acts().empty());
}

TEST_CASE("reconcile: of an id without a row the shim is asked first, then the sockets go, then the directory is set aside", "[host][reconcile]") {
    Scene scene;
    scene.runs(unknown, 100, 5000);
    auto made = scene.made();
    REQUIRE(made.actions.size() == 1);              // the shim ends its VMM and device by itself
    CHECK(made.actions[0].act == Act::end_process);
    CHECK(made.actions[0].process.pid == 100);
    CHECK(made.actions[0].reason.find("no row") != std::string::npos);

    scene.seen.processes.clear();
    scene.seen.run_dirs[0].shim_lives = false;
    CHECK(scene.acts() == std::vector{Act::remove_run_dir, Act::set_aside});   // its group may be another daemon's: not a word of it
}

TEST_CASE("reconcile: a directory whose creation never became a row is deleted, even beside a new store", "[host][reconcile]") {
    Scene scene;
    scene.knowledge.store_knew_any = false;
    scene.seen.instance_dirs.push_back({unknown, false, true});
    CHECK(scene.acts() == std::vector{Act::delete_unborn});
    scene.knows(unknown, false, false);              // the daemon ended between the commit and the mark's end
    CHECK(scene.acts() == std::vector{Act::delete_draft});
}

TEST_CASE("reconcile: a VMM whose shim is gone ends, too", "[host][reconcile]") {
    Scene scene;
    scene.knows(ours, false, false);
    scene.seen.processes.push_back({{200, 5000}, 1, Program::vmm, Claim::state, ours});
    scene.seen.instance_dirs.push_back({ours, true});
    CHECK(scene.acts() == std::vector{Act::end_process});   // the draft and the rest wait for it
    scene.seen.processes.clear();
    CHECK(scene.acts() == std::vector{Act::delete_draft});
}

TEST_CASE("reconcile: what ended or was removed a moment ago has its time to go", "[host][reconcile]") {
    for (const bool removed : {false, true}) {
        CAPTURE(removed);
        Scene scene;
        scene.knows(gone, removed, false, now - 5'000'000);
        scene.runs(gone, 100, 5000);
        CHECK(scene.acts().empty());
        CHECK_FALSE(scene.made().spared.empty());
        scene.knowledge.instances[0].idle_since_unix_us = now - 31'000'000;
        CHECK(scene.acts() == std::vector{Act::end_process});
    }
}

TEST_CASE("reconcile: a removal that a daemon did not finish is finished", "[host][reconcile]") {
    Scene scene;
    scene.knows(gone, true, false);
    scene.seen.instance_dirs.push_back({gone, false});
    scene.seen.run_dirs.push_back({gone, state_dir, {}, false});
    scene.seen.groups.push_back(gone);
    CHECK(scene.acts() == std::vector{Act::remove_run_dir, Act::finish_removal, Act::sweep_group});
    scene.knowledge.instances[0].busy = true;       // we are at it
    CHECK(scene.acts().empty());
}

TEST_CASE("reconcile: what belongs to another state directory is never touched", "[host][reconcile]") {
    Scene scene;
    SECTION("its mark says so, dead or alive") {
        scene.seen.run_dirs.push_back({unknown, "/srv/other", {}, false});
        CHECK(scene.made().spared.at(0).reason.find("/srv/other") != std::string::npos);
    }
    SECTION("no mark, but its shim lives and has no file open below our state") { scene.seen.run_dirs.push_back({unknown, "", {300, 1}, true}); }
    SECTION("a device that is known by its command line only") {
        scene.seen.run_dirs.push_back({unknown, "/srv/other", {300, 1}, true});
        scene.seen.processes.push_back({{301, 2}, 300, Program::device, Claim::run, unknown});
    }
    SECTION("a device whose run directory is gone") { scene.seen.processes.push_back({{301, 2}, 300, Program::device, Claim::run, unknown}); }
    SECTION("a control group of an id that is none of ours") { scene.seen.groups.push_back(unknown); }
    CHECK(scene.acts().empty());
}

TEST_CASE("reconcile: a store that never knew an instance is not believed", "[host][reconcile]") {
    Scene scene;
    scene.knowledge.store_knew_any = false;
    scene.runs(unknown, 100, 5000);
    CHECK(scene.acts().empty());
    CHECK(scene.made().spared.at(0).reason.find("store is new") != std::string::npos);
    scene.knowledge.store_knew_any = true;
    CHECK(scene.acts() == std::vector{Act::end_process});
}

TEST_CASE("reconcile: what was set aside is kept for a week", "[host][reconcile]") {
    Scene scene;
    scene.seen.set_aside.push_back({"vm-0000000003.1", now - 6ULL * 24 * 3'600'000'000});
    CHECK(scene.acts().empty());
    scene.seen.set_aside[0].since_unix_us = now - 8ULL * 24 * 3'600'000'000;
    CHECK(scene.acts() == std::vector{Act::delete_set_aside});
}

}  // namespace vigil::reconcile
