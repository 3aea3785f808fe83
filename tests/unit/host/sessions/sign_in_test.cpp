#include "tests/unit/host/result_text.hpp"
#include "tests/unit/host/sessions/scene.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>

namespace vigil::sessions {
using namespace vigil::sessions::test;

using protocol::RunState;

namespace {

std::string all_files_of(const vigil::test::Scratch& scratch) {
  std::string all;
  for (const auto& entry : std::filesystem::directory_iterator(scratch / "")) {
    std::ifstream file(entry.path(), std::ios::binary);
    all.append(std::istreambuf_iterator<char>(file), {});
  }
  return all;
}

std::ptrdiff_t place_of(const GuestDouble& guest, const std::string& what) {
  return std::ranges::find(guest.done, what) - guest.done.begin();
}

}  // namespace

TEST_CASE("sign-in: from the order to the vault, the CLI VM and the end of its VM", "[host][sessions]") {
  Scene scene;
  const auto id = scene.begin();
  CHECK(scene.guest.has_done("make " + id));
  scene.vm_is(RunState::ready, scene.guest.browser_vm);
  CHECK(scene.guest.has_done("signin.run " + scene.guest.browser_vm.value()));
  scene.step(id, Step::cli_started);
  scene.step(id, Step::url_found);
  CHECK(scene.session(id).url.starts_with("https://auth.openai.com/"));
  scene.step(id, Step::credential_found);
  const auto& session = scene.session(id);
  INFO((session.cause ? protocol::sentence(*session.cause) : ""));
  CHECK(session.state == State::completed);
  CHECK(session.checked == Checked{Validity::valid, "codex login status: exit 0"});
  CHECK(scene.guest.written_to == "/home/agent/.codex/auth.json");
  CHECK(scene.guest.written_by_host("file.write").find(a_credential) != std::string::npos);
  CHECK(scene.vault.reveal(scene.alice, "reveal", "test")->view() == a_credential);
  CHECK(scene.vault.find(scene.alice)->value().check->valid);
  CHECK(scene.guest.has_done("remove " + scene.guest.browser_vm.value() + " by session " + id + " completed"));
  CHECK_FALSE(scene.guest.has_done_like("remove " + scene.guest.cli_vm.value()));
  CHECK(place_of(scene.guest, "signin.take " + scene.guest.browser_vm.value()) <
        place_of(scene.guest, "signin.forget " + scene.guest.browser_vm.value()));
}

TEST_CASE("sign-in: the guest is not told to forget what the vault has not", "[host][sessions]") {
  Scene scene;
  const auto id = scene.begin();
  std::filesystem::create_directory(scene.scratch / "vault.db");   // no vault can be made here
  scene.sign_in_until_found(id);
  CHECK(scene.guest.has_done_like("signin.take"));
  CHECK_FALSE(scene.guest.has_done_like("signin.forget"));
  CHECK(scene.session(id).state == State::failed);
  CHECK(scene.session(id).cause->code == protocol::CauseCode::signin_not_stored);
}

TEST_CASE("sign-in: a guest that does not hear that it may forget is told again", "[host][sessions]") {
  Scene scene;
  scene.guest.refuses.emplace("signin.forget", Error(Errc::unavailable, "not now"));
  const auto id = scene.begin();
  scene.sign_in_until_found(id);
  CHECK(scene.session(id).state == State::delivering);
  CHECK_FALSE(scene.session(id).forgotten);
  scene.guest.refuses.clear();
  scene.io.restart();
  scene.io.run_for(std::chrono::milliseconds(1500));
  REQUIRE(scene.session(id).forgotten);
  CHECK(scene.session(id).forgotten->problem.empty());
  CHECK(scene.session(id).state == State::completed);
}

TEST_CASE("sign-in: a credential is in no file, event or answer of the host", "[host][sessions]") {
  Scene scene;
  const auto id = scene.begin();
  scene.sign_in_until_found(id);
  REQUIRE(scene.session(id).state == State::completed);
  std::string said = all_files_of(scene.scratch);
  for (const auto& event : scene.sessions->events_of(id, 0)) said += event.data;
  CHECK(said.find("alice") != std::string::npos);
  CHECK(said.find("canary-") == std::string::npos);
}

TEST_CASE("sign-in: its address is in no file of the host, and after the end in no event", "[host][sessions]") {
  Scene scene;
  const auto id = scene.begin();
  const auto said = [&] {
    std::string all;
    for (const auto& event : scene.sessions->events_of(id, 0)) all += event.data;
    return all;
  };
  scene.vm_is(RunState::ready, scene.guest.browser_vm);
  scene.step(id, Step::url_found);
  REQUIRE(scene.session(id).state == State::waiting_for_user);
  CHECK(said().find("code_challenge=") != std::string::npos);
  CHECK(all_files_of(scene.scratch).find("code_challenge=") == std::string::npos);
  REQUIRE(scene.sessions->cancel(id, "me"));
  scene.turn();
  CHECK(said().find("code_challenge=") == std::string::npos);
  CHECK(said().find("url_found") != std::string::npos);
}

TEST_CASE("sign-in: no policy stops its VMs as long as it goes on", "[host][sessions]") {
  Scene scene;
  const auto id = scene.begin();
  const auto needs = [&](const InstanceId& vm) { return scene.guest.needed[id + " needs " + vm.value()]; };
  CHECK(needs(scene.guest.browser_vm) == 1);
  CHECK(needs(scene.guest.cli_vm) == 1);
  scene.vm_is(RunState::ready, scene.guest.browser_vm);
  CHECK(needs(scene.guest.browser_vm) == 1);
  REQUIRE(scene.sessions->cancel(id, "me"));
  scene.turn();
  CHECK(needs(scene.guest.browser_vm) == 0);
  CHECK(needs(scene.guest.cli_vm) == 0);
}

TEST_CASE("sign-in: a user without a CLI VM gets one, which is his from then on", "[host][sessions]") {
  Scene scene;
  auto order = scene.order(false);
  order.cli_vm_spec = "{}";
  const auto id = *scene.sessions->open(order);
  scene.turn();
  CHECK_FALSE(scene.guest.has_done("make_cli alice"));   // a session that fails leaves none behind
  scene.sign_in_until_found(id);
  CHECK(scene.session(id).state == State::completed);
  CHECK(scene.guest.has_done("make_cli alice"));
  CHECK(scene.session(id).delivered->vm == scene.guest.cli_vm.value());
  CHECK_FALSE(scene.guest.has_done_like("remove " + scene.guest.cli_vm.value()));
  scene.end_daemon();
  scene.begin_daemon();
  CHECK(scene.sessions->cli_vm_of({"", "alice"})->vm == scene.guest.cli_vm);
}

TEST_CASE("sign-in: it waits for a CLI VM that boots, and says when none can be made", "[host][sessions]") {
  Scene scene;
  auto order = scene.order(false);
  order.cli_vm_spec = "{}";
  scene.guest.cli_state = {};
  scene.guest.cli_state.run.emplace();   // it boots
  auto id = *scene.sessions->open(order);
  scene.turn();
  scene.sign_in_until_found(id);
  CHECK(scene.session(id).state == State::delivering);
  CHECK_FALSE(scene.guest.has_done_like("file.write"));
  scene.guest.cli_state.run->all_services_known = true;
  scene.vm_is(RunState::ready, scene.guest.cli_vm);
  CHECK(scene.session(id).state == State::completed);
  CHECK(scene.session(id).delivered->problem.empty());
  order.user = "bob";
  scene.guest.refuses.emplace("make_cli", Error(Errc::not_found, "there is no image cli"));
  id = *scene.sessions->open(order);
  scene.turn();
  scene.sign_in_until_found(id);
  CHECK(scene.session(id).state == State::completed);   // it is in the vault
  CHECK(scene.session(id).delivered->problem.find("no image cli") != std::string::npos);
}

TEST_CASE("sign-in: without a CLI VM it is in the vault, and goes to one when that is named and starts", "[host][sessions]") {
  Scene scene;
  const auto first = scene.begin(false);
  scene.sign_in_until_found(first);
  CHECK(scene.session(first).state == State::completed);
  CHECK(scene.session(first).delivered->problem.find("--cli-vm") != std::string::npos);
  scene.end_daemon();
  scene.begin_daemon();
  const auto second = scene.begin();
  REQUIRE(scene.sessions->cancel(second, "me"));
  scene.turn();
  scene.guest.open.clear();
  scene.vm_is(RunState::ready, scene.guest.cli_vm);
  CHECK(scene.guest.written_by_host("file.write").find(a_credential) != std::string::npos);
  CHECK(scene.vault.audit(1)->front().actor == "start of " + scene.guest.cli_vm.value());
  // At a later start the same is not written over what the CLI may have renewed.
  scene.guest.has_file = true;
  scene.guest.open.clear();
  scene.vm_is(RunState::ready, scene.guest.cli_vm);
  CHECK_FALSE(scene.guest.written_by_host("file.write").find(a_credential) != std::string::npos);
}

TEST_CASE("sign-in: a CLI VM that is up and down and up again is given its credentials once a run", "[host][sessions]") {
  Scene scene;
  const auto id = scene.begin();
  scene.sign_in_until_found(id);
  REQUIRE(scene.session(id).state == State::completed);
  const auto written = [&] { return std::ranges::count(scene.guest.done, "file.write " + scene.guest.cli_vm.value()); };
  CHECK(written() == 1);
  scene.guest.has_file = true;   // and its CLI may have renewed it
  const auto asked = [&] { return std::ranges::count(scene.guest.done, "exec " + scene.guest.cli_vm.value()); };
  const auto before = asked();
  for (int i = 0; i < 20; ++i) {
    scene.vm_is(RunState::ready, scene.guest.cli_vm);
    scene.vm_is(RunState::degraded, scene.guest.cli_vm);
  }
  CHECK(written() == 1);
  CHECK(asked() <= before + 1);
}

TEST_CASE("sign-in: a CLI VM that takes no credential is asked a few times a run, not for ever", "[host][sessions]") {
  Scene scene;
  scene.guest.refuses.emplace("file.write", Error(Errc::io, "no"));
  const auto id = scene.begin();
  scene.sign_in_until_found(id);
  for (int i = 0; i < 50; ++i) scene.vm_is(RunState::ready, scene.guest.cli_vm);
  const auto tries = std::ranges::count(scene.guest.done, "file.write " + scene.guest.cli_vm.value());
  CHECK(tries > 1);
  CHECK(tries < 10);
}

TEST_CASE("sign-in: who looks at its VM's screen holds it beyond its deadline", "[host][sessions]") {
  for (const bool looks : {false, true}) {
    CAPTURE(looks);
    Scene scene;
    auto order = scene.order();
    order.patience.user_s = order.patience.lease_s = 1;
    const auto id = *scene.sessions->open(order);
    scene.turn();
    if (looks) scene.guest.in_use.insert(scene.guest.browser_vm);
    scene.vm_is(RunState::ready, scene.guest.browser_vm);
    scene.step(id, Step::cli_started);
    scene.step(id, Step::url_found);
    scene.io.restart();
    scene.io.run_for(std::chrono::milliseconds(1500));
    CHECK(scene.session(id).state == (looks ? State::waiting_for_user : State::timed_out));
  }
}

TEST_CASE("sign-in: a daemon that comes later begins the CLI anew, and takes what the guest still holds", "[host][sessions]") {
  Scene scene;
  const auto id = scene.begin();
  scene.vm_is(RunState::ready, scene.guest.browser_vm);
  scene.step(id, Step::url_found);
  REQUIRE(scene.session(id).state == State::waiting_for_user);
  scene.end_daemon();
  scene.guest.done.clear();
  scene.begin_daemon();
  CHECK(scene.guest.has_done("signin.run " + scene.guest.browser_vm.value()));
  CHECK(scene.session(id).attempt == 2);
  scene.step(id, Step::failed);   // the earlier attempt's end
  CHECK(scene.session(id).state == State::cli_starting);
  // Found while no daemon is there: the report is in the store when the next one comes.
  scene.step(id + "-2", Step::cli_started);
  scene.guest.refuses["signin.take"] = Error(Errc::unavailable, "not now");
  scene.step(id + "-2", Step::credential_found);
  REQUIRE(scene.session(id).state == State::storing);
  scene.end_daemon();
  scene.guest.refuses.clear();
  scene.begin_daemon();
  CHECK(scene.session(id).state == State::completed);
  CHECK(scene.session(id).attempt == 2);
}

TEST_CASE("sign-in: cancelled, it closes the guest's stream and removes its VM", "[host][sessions]") {
  Scene scene;
  const auto id = scene.begin();
  scene.vm_is(RunState::ready, scene.guest.browser_vm);
  const auto run = std::ranges::find_if(scene.guest.open, [](const OpenStream& each) { return each.op == "signin.run"; });
  REQUIRE(run != scene.guest.open.end());
  REQUIRE(scene.sessions->cancel(id, "me"));
  scene.turn();
  char byte = 0;
  CHECK(::read(run->guest.get(), &byte, 1) == 0);   // the end of the stream
  CHECK(scene.guest.has_done_like("remove " + scene.guest.browser_vm.value() + " by session " + id + " cancelled: signin.cancelled"));
  CHECK(scene.sessions->cancel(id, "me").error().code() == Errc::conflict);
}

TEST_CASE("sign-in: a viewer is woken by what happens", "[host][sessions]") {
  Scene scene;
  const auto id = scene.begin();
  int woken = 0;
  auto viewer = scene.sessions->join(id, [&woken] { ++woken; });
  scene.vm_is(RunState::ready, scene.guest.browser_vm);
  CHECK(woken == 1);
  viewer.reset();
  scene.step(id, Step::cli_started);
  CHECK(woken == 1);
  const auto events = scene.sessions->events_of(id, 0);
  CHECK(scene.sessions->events_of(id, events.back().seq).empty());
}

}  // namespace vigil::sessions
