// Events through the real reducer into a real database and out to real subscribers, also when the database refuses.
#include "host/daemon/event_pipeline.hpp"
#include "host/machine/derive.hpp"
#include "tests/unit/host/unix_client.hpp"

#include <catch2/catch_test_macros.hpp>

#include <sys/resource.h>

#include <csignal>
#include <memory>

namespace vigil::daemon {

using vigil::test::pump_until;

namespace {

const BootId boot("11111111-2222-3333-4444-555555555555");

class Subject final : public EventSubject {
  public:
    explicit Subject(std::string id) : id_(std::move(id)) {}
    machine::VmState& state() override { return state_; }
    std::vector<std::string> console_tail() const override { return {}; }
    void committed(const std::vector<machine::Effect>& effects, const std::set<Stream>& streams, std::size_t) override {
        ++commits;
        all_effects.insert(all_effects.end(), effects.begin(), effects.end());
        reported.insert(streams.begin(), streams.end());
    }
    void reports_refused() override { ++refusals; }

    machine::VmEvent event(machine::EventBody body, std::uint32_t run = 1) const { return {0, InstanceId(id_), RunNumber(run), ++clock, clock, std::move(body)}; }
    machine::VmEvent created(const std::string& name) const {
        machine::InstanceSpec spec;
        spec.name = InstanceName(name);
        spec.image_name = "minimal";
        return event(machine::Created{spec}, 0);
    }
    machine::VmEvent report(Seq seq) const {
        protocol::ServiceReport web;
        web.name = ServiceName("web");
        web.state = protocol::ServiceState::starting;
        return event(machine::Reported{protocol::Report{boot, 0, seq, 5, web}, machine::Channel::link, false, 0});
    }

    int commits = 0, refusals = 0;
    std::vector<machine::Effect> all_effects;
    std::set<Stream> reported;
    static inline UnixUs clock = 1'000'000;

  private:
    std::string id_;
    machine::VmState state_;
};

struct Fixture {
    test::TemporaryDirectory directory;
    boost::asio::io_context io;
    std::unique_ptr<store::Store> store = std::move(*store::Store::open((directory.path() / "vigil.db").string()));
    events::EventBus bus{events::replay_from(*store), 0};
    EventPipeline pipeline{io, *store, bus};
    Subject vm{"vm-0000000001"};

    void open_run() {
        REQUIRE(pipeline.record(vm, vm.created("demo")).has_value());
        REQUIRE(pipeline.record(vm, vm.event(machine::StartRequested{"test", protocol::Accelerator::tcg})).has_value());
    }
    std::size_t stored() const { return store->events({})->size(); }
};

/// No file may grow any more: the database refuses every commit, as on a full disk. (A disk that is really full: tests/unit/host/store, tests/e2e.)
class RefusingDisk {
  public:
    RefusingDisk() {
        std::signal(SIGXFSZ, SIG_IGN);
        ::getrlimit(RLIMIT_FSIZE, &before_);
        const rlimit none{1, before_.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &none);
    }
    ~RefusingDisk() { ::setrlimit(RLIMIT_FSIZE, &before_); }
    RefusingDisk(const RefusingDisk&) = delete;
    RefusingDisk& operator=(const RefusingDisk&) = delete;

  private:
    rlimit before_{};
};

}  // namespace

TEST_CASE("pipeline: what came in one turn is one commit, published before it is acknowledged", "[host][daemon]") {
    Fixture fixture;
    fixture.open_run();
    auto subscription = fixture.bus.subscribe(std::nullopt, std::nullopt, [] {});
    const int before = fixture.vm.commits;
    fixture.pipeline.submit(fixture.vm, fixture.vm.report(1));
    fixture.pipeline.submit(fixture.vm, fixture.vm.report(2));
    CHECK(subscription->next(10).events.empty());
    REQUIRE(pump_until(fixture.io, [&] { return fixture.vm.commits > before; }));
    CHECK(fixture.vm.commits == before + 1);
    CHECK(fixture.vm.reported.contains({0, boot}));
    CHECK(fixture.store->acknowledged(InstanceId("vm-0000000001"), RunNumber(1), 0, boot) == 2);
    CHECK(subscription->next(10).events.size() >= 2);
}

TEST_CASE("pipeline: when one turn follows the other at once, a commit takes several", "[host][daemon]") {
    Fixture fixture;
    fixture.open_run();
    const int before = fixture.vm.commits;
    constexpr int turns = 200;
    for (Seq seq = 1; seq <= turns; ++seq) {
        fixture.pipeline.submit(fixture.vm, fixture.vm.report(seq));
        fixture.io.restart();
        fixture.io.poll();
    }
    const auto known = [&] { return fixture.store->acknowledged(InstanceId("vm-0000000001"), RunNumber(1), 0, boot); };
    REQUIRE(pump_until(fixture.io, [&] { return known() == turns; }));
    CHECK(fixture.vm.commits - before < turns);
}

TEST_CASE("pipeline: a report that is sent again is stored once and acknowledged again", "[host][daemon]") {
    Fixture fixture;
    fixture.open_run();
    fixture.pipeline.submit(fixture.vm, fixture.vm.report(1));
    fixture.pipeline.flush();
    const auto stored = fixture.stored();
    fixture.vm.reported.clear();
    fixture.pipeline.submit(fixture.vm, fixture.vm.report(1));
    fixture.pipeline.flush();
    CHECK(fixture.stored() == stored);
    CHECK(fixture.vm.reported.contains({0, boot}));
}

TEST_CASE("pipeline: a taken name is a conflict and leaves nothing", "[host][daemon]") {
    Fixture fixture;
    fixture.open_run();
    Subject second("vm-0000000002");
    const auto refused = fixture.pipeline.record(second, second.created("demo"));
    REQUIRE(refused.has_error());
    CHECK(refused.error().code() == Errc::conflict);
    CHECK(second.state().id.value().empty());
}

TEST_CASE("pipeline: the reducer's effects come after the commit", "[host][daemon]") {
    Fixture fixture;
    fixture.open_run();
    bool armed = false;
    for (const auto& effect : fixture.vm.all_effects) armed |= std::holds_alternative<machine::ArmDeadline>(effect);
    CHECK(armed);
    CHECK(machine::power(fixture.vm.state()) == protocol::Power::starting);
}

TEST_CASE("pipeline: a disk that refuses changes nothing, loses nothing, and is over when there is room", "[host][daemon]") {
    Fixture fixture;
    fixture.open_run();
    const auto stored = fixture.stored();
    const auto before = fixture.vm.state();
    {
        RefusingDisk refusing;
        const auto refused = fixture.pipeline.record(fixture.vm, fixture.vm.event(machine::StopRequested{machine::StopKind::kill, std::chrono::milliseconds(0), "test"}));
        REQUIRE(refused.has_error());
        CHECK(fixture.vm.state() == before);
        fixture.pipeline.submit(fixture.vm, fixture.vm.report(1));
        fixture.pipeline.submit(fixture.vm, fixture.vm.event(machine::LinkRefused{"kept"}));
        fixture.pipeline.flush();
        CHECK(fixture.vm.refusals == 1);  // the guest keeps its report; the refused link nobody would tell us again
        CHECK(fixture.vm.state() == before);
    }
    REQUIRE(pump_until(fixture.io, [&] { return fixture.stored() > stored; }));
    const auto events = *fixture.store->events({});
    CHECK(events.back().type == "link_refused");
    fixture.pipeline.submit(fixture.vm, fixture.vm.report(1));
    REQUIRE(pump_until(fixture.io, [&] { return !fixture.vm.reported.empty(); }));
    CHECK(fixture.store->acknowledged(InstanceId("vm-0000000001"), RunNumber(1), 0, boot) == 1);
}

}  // namespace vigil::daemon
