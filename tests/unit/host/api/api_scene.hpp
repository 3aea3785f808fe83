// The routes over a real store, with a stand-in for what the daemon would do; and requests of whoever.
#pragma once

#include "host/api/context.hpp"
#include "host/api/error_to_http.hpp"
#include "host/images/sha256.hpp"
#include "tests/unit/host/unix_client.hpp"

#include <nlohmann/json.hpp>

#include <catch2/catch_test_macros.hpp>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <sstream>

namespace vigil::api::test {

using nlohmann::json;

class RecordingControl final : public VmControl {
  public:
    DaemonFacts facts() const override { return {"/state", "/run", 1, protocol::Accelerator::tcg, "no /dev/kvm", 5, ""}; }
    Result<InstanceId> create(machine::InstanceSpec spec, const std::string& actor) override {
        done.push_back("create " + spec.name.value() + " by " + actor);
        return Error(Errc::not_found, "image nothing does not exist; images here: minimal");
    }
    Result<RunNumber> start(const InstanceId& id, const std::string&) override { return done.push_back("start " + id.value()), RunNumber(1); }
    Result<void> stop(const InstanceId& id, machine::StopKind kind, std::optional<std::chrono::milliseconds> grace, const std::string&) override {
        done.push_back("stop " + id.value() + " " + std::string(to_text(kind)) + " " + (grace ? std::to_string(grace->count()) : "default"));
        return {};
    }
    void remove(const InstanceId& id, Removal removal, const std::string&, std::function<void(Result<void>)> answer) override {
        done.push_back("remove " + id.value());
        answer(removal == Removal::kill_first ? Result<void>() : Error(Errc::conflict, "it runs"));
    }
    void ask_guest(const InstanceId&, GuestQuestion question, std::function<void(Result<std::string>)> answer) override {
        done.push_back(question.op + " " + question.args);
        answer(guest_answer);
    }
    void open_stream(const InstanceId&, std::string opening, std::function<void(Result<streams::GuestStream>)> answer) override {
        done.push_back("stream " + opening);
        if (guest) return answer(guest(opening));
        answer(Error(Errc::unavailable, "its agent is not up yet"));
    }
    Result<PolicyLook> policy(const InstanceId&, std::chrono::seconds later) const override {
        PolicyLook look{{.lease_s = 60, .idle_s = 30}, {}, {}};
        look.facts.now = 1'800'000'000'000'000 + static_cast<UnixUs>(std::chrono::microseconds(later).count());
        look.facts.is_running = true;
        look.facts.run_started = look.facts.last_used = 1'800'000'000'000'000;
        look.facts.holders = {{policy::HolderKind::exec, "/bin/sh", 0}};
        look.decisions = policy::decide(look.settings, look.facts);
        return look;
    }
    Result<void> order(const InstanceId&, PolicyOrder order) override { return orders.push_back(std::move(order)), Result<void>(); }
    std::vector<Look> existing() const override { return looks; }
    Result<Look> look(std::string_view, std::optional<RunNumber>) const override {
        if (looks.empty()) return Error(Errc::not_found, "there is no such instance");
        return looks.front();
    }
    Result<std::string> console(const InstanceId&, RunNumber) const override { return std::string("\x1b[2Jboot"); }
    void service_logs(const InstanceId&, RunNumber, blackbox::Shelf::Done<blackbox::Shelf::Folder> done_with) override {
        done_with(std::make_shared<const std::filesystem::path>(log_directory));
    }
    logs::LogHub& log_hub() override { return hub; }
    blackbox::Shelf& shelf() override { return boxes; }
    std::string metrics() const override { return "# none\n"; }
    void verify_image(images::Image, std::function<void(Result<void>)> answer) override { answer({}); }
    void collect_images(images::Collect how, std::function<void(Result<images::Collection>)> answer) override {
        done.push_back(how == images::Collect::only_look ? "look for unused images" : "remove unused images");
        answer(images::Collection{{{"minimal", std::string(64, 'a'), 4096}}, {"desktop"}});
    }

    std::function<Result<streams::GuestStream>(const std::string& opening)> guest;   // what answers streams; without it nobody does
    Result<std::string> guest_answer = Error(Errc::unavailable, "no link");
    std::vector<std::string> done;
    std::vector<PolicyOrder> orders;
    std::vector<Look> looks;
    std::filesystem::path log_directory = "/nonexistent";
    logs::LogHub hub;
    boost::asio::io_context io;
    boost::asio::thread_pool pool{1};
    blackbox::Shelf boxes{io.get_executor(), pool, "/nonexistent", "/nonexistent/opened", {}};
};

struct Fixture {
    vigil::test::TemporaryDirectory directory;
    RecordingControl control;
    images::ImageStore images{directory.path() / "images"};
    std::unique_ptr<store::Store> store = std::move(*store::Store::open((directory.path() / "vigil.db").string()));
    events::EventBus bus{events::replay_from(*store), 0};
    boost::asio::io_context io;
    streams::Relays relays{io.get_executor()};
    http::Router router{make_routes({control, images, *store, bus, relays})};
    const InstanceId id{"vm-0123456789"};
    SystemClock clock;
    access::Gate gate{*store, clock, 4242};
    http::Router guarded{make_routes({control, images, *store, bus, relays, nullptr, nullptr, &gate, store.get()})};

    InstanceId add_owned(const std::string& name, const std::string& owner, const std::string& digits) {
        machine::InstanceSpec spec;
        spec.name = InstanceName(name);
        spec.image_name = "minimal";
        spec.owner = owner;
        const InstanceId owned("vm-" + digits);
        machine::VmEvent event{0, owned, RunNumber(0), 1'000'000, 1, machine::Created{spec}};
        auto batch = store->begin();
        REQUIRE(batch.add(event).kind == store::Admission::Kind::accepted);
        REQUIRE(batch.commit().has_value());
        Look look{*store->find_instance(name), {}, {}};
        look.state.id = owned;
        look.state.spec = spec;
        control.looks.push_back(look);
        return owned;
    }
    http::Request as(std::optional<std::string> token, http::Method method, const std::string& path, const std::string& body = "") const {
        http::Request request;
        request.method = method;
        request.path = path;
        request.body = body;
        request.peer = {0, 0, false, "127.0.0.1"};
        if (token) request.headers["authorization"] = "Bearer " + *token;
        return request;
    }
    http::Answer answer(http::Request request) {
        std::optional<http::Answer> given;
        {
            const http::Reply reply([&](http::Answer got) { given = std::move(got); });
            guarded.dispatch(std::move(request), reply);
        }
        REQUIRE(given);
        return std::move(*given);
    }
    http::Response respond(http::Request request) { return std::get<http::Response>(answer(std::move(request))); }
    std::string token_for(const std::string& owner, const std::string& scope) {
        auto request = as(std::nullopt, http::Method::post, "/v1/tokens", R"({"owner":")" + owner + R"(","scopes":[")" + scope + R"("]})");
        request.peer = {};                       // root, over the Unix socket
        const auto made = respond(std::move(request));
        REQUIRE(made.status == 201);
        return json::parse(made.body)["token"];
    }

    void add_instance() {
        machine::InstanceSpec spec;
        spec.name = InstanceName("demo");
        spec.image_name = "minimal";
        machine::VmEvent event{0, id, RunNumber(0), 1'000'000, 1, machine::Created{spec}};
        auto batch = store->begin();
        REQUIRE(batch.add(event).kind == store::Admission::Kind::accepted);
        REQUIRE(batch.commit().has_value());
        Look look{*store->find_instance("demo"), {}, {}};
        look.state.id = id;
        look.state.spec = spec;
        control.looks.push_back(look);
    }
    http::Response ask(http::Method method, const std::string& target, const std::string& body = "", std::map<std::string, std::string> headers = {}) {
        std::optional<http::Answer> answer;
        http::Request request;
        request.method = method;
        request.path = target;
        request.body = body;
        request.headers = std::move(headers);
        request.peer.uid = 1000;
        {
            const http::Reply reply([&](http::Answer given) { answer = std::move(given); });
            router.dispatch(std::move(request), reply);
        }
        REQUIRE(answer);
        REQUIRE(std::holds_alternative<http::Response>(*answer));
        return std::get<http::Response>(std::move(*answer));
    }
};

}  // namespace vigil::api::test
