// What is refused, with a cause, and nothing stored.
#include "tests/unit/host/result_text.hpp"
#include "tests/unit/host/sessions/scene.hpp"

namespace vigil::sessions {
using namespace vigil::sessions::test;

using protocol::CauseCode;
using protocol::RunState;

namespace {

/// The session's end when the guest hands this over.
std::string end_with_credential(Scene& scene, const std::string& bytes, bool reports_it_rightly = true) {
  scene.guest.credential = bytes;
  const auto id = scene.begin();
  scene.vm_is(RunState::ready, scene.guest.browser_vm);
  auto found = scene.a_report(id, Step::credential_found);
  if (reports_it_rightly) found.credential = protocol::SigninCredential{"codex/1", signin::sha256_hex(bytes), bytes.size()};
  scene.report(found, scene.guest.browser_vm);
  const auto& session = scene.session(id);
  CHECK(scene.vault.list()->empty());
  CHECK_FALSE(scene.guest.has_done_like("signin.forget"));
  CHECK(session.state == State::failed);
  CHECK(scene.guest.has_done_like("remove " + scene.guest.browser_vm.value()));
  return session.cause ? session.cause->text + ": " + protocol::sentence(*session.cause) : "";
}

}  // namespace

TEST_CASE("refused: a credential that is cut, of another provider, of an unknown shape, or not the reported one", "[host][sessions]") {
  const std::string of_another = R"({"claudeAiOauth":{"accessToken":"a","refreshToken":"b","expiresAt":1,"scopes":[]}})";
  {
    Scene scene;
    CHECK(end_with_credential(scene, a_credential.substr(0, 60)).find("ends early") != std::string::npos);
  }
  {
    Scene scene;
    CHECK(end_with_credential(scene, of_another).find("is one of claude_code") != std::string::npos);
  }
  {
    Scene scene;
    CHECK(end_with_credential(scene, R"({"tokens":{}})").starts_with("signin.credential_unknown_shape: "));
  }
  {
    Scene scene;
    CHECK(end_with_credential(scene, a_credential + " ", false).find("not the one that the guest has reported") != std::string::npos);
  }
  {
    Scene scene;
    scene.guest.counted = 1;
    CHECK(end_with_credential(scene, a_credential).find("counts other bytes") != std::string::npos);
  }
  {
    Scene scene;
    scene.guest.answer_carries = 0;
    CHECK(end_with_credential(scene, "").find("is empty") != std::string::npos);
  }
}

TEST_CASE("refused: a credential that is too large, as told and as sent", "[host][sessions]") {
  Scene told;
  const auto id = told.begin();
  told.vm_is(RunState::ready, told.guest.browser_vm);
  auto found = told.a_report(id, Step::credential_found);
  found.credential->bytes = 70'000;
  told.report(found, told.guest.browser_vm);
  CHECK(told.session(id).last_refusal.find("70000 bytes") != std::string::npos);
  CHECK_FALSE(told.guest.has_done_like("signin.take"));
  Scene sent;
  sent.guest.answer_carries = 70'000;
  CHECK(end_with_credential(sent, std::string(70'000, 'x'), false).find("more than a credential may have") != std::string::npos);
}

TEST_CASE("refused: a VM that speaks for another's session", "[host][sessions]") {
  Scene scene;
  const auto id = scene.begin();
  scene.vm_is(RunState::ready, scene.guest.browser_vm);
  const InstanceId other = scene.guest.cli_vm;   // not the session's VM
  scene.report(scene.a_report(id, Step::credential_found), other);
  CHECK(scene.session(id).state == State::cli_starting);
  CHECK_FALSE(scene.guest.has_done_like("signin.take"));
  scene.step("ss-9999999999", Step::credential_found);   // its own VM, another's name
  CHECK(scene.session(id).refusals == 1);
  CHECK(scene.session(id).last_refusal.find("speaks for the session ss-9999999999") != std::string::npos);
  CHECK(scene.session(id).state == State::cli_starting);
  CHECK(scene.vault.list()->empty());
}

TEST_CASE("refused: what a VM says without end is neither on the disk nor served without end, and harms its own session alone", "[host][sessions]") {
  Scene scene;
  const auto id = scene.begin();
  scene.vm_is(RunState::ready, scene.guest.browser_vm);
  auto forged = scene.a_report(id, Step::cli_started);
  forged.provider = "a\x1b[2J\nforged";
  for (int i = 0; i < 300; ++i) scene.report(forged, scene.guest.browser_vm);
  CHECK(scene.session(id).refusals == 300);
  CHECK(scene.session(id).last_refusal.find("a\\x1b[2J\\x0aforged") != std::string::npos);
  CHECK(scene.sessions->events_of(id, 0).size() < 50);
  for (int i = 0; i < 300; ++i) scene.step(id, Step::cli_started);   // the same again
  CHECK(scene.session(id).state == State::waiting_for_address);
  CHECK(scene.sessions->events_of(id, 0).size() < 50);
  for (int i = 0; i < 300; ++i) {
    auto other = scene.a_report(id, Step::cli_started);
    other.detail = std::to_string(i);
    scene.report(other, scene.guest.browser_vm);
  }
  const auto& session = scene.session(id);
  CHECK(session.state == State::failed);
  REQUIRE(session.cause);
  CHECK(protocol::sentence(*session.cause).find("steps without end") != std::string::npos);
  CHECK(scene.sessions->events_of(id, 0).size() < 320);
}

TEST_CASE("refused: one owner cannot have all the sessions there are", "[host][sessions]") {
  Scene scene;
  auto order = scene.order(false);
  order.owner = "greedy";
  int begun = 0;
  for (int i = 0; i < 150; ++i) {
    order.user = "user" + std::to_string(i);
    begun += scene.sessions->open(order) ? 1 : 0;
  }
  CHECK(begun == 100);
  order.owner = "modest";
  CHECK(scene.sessions->open(order));
}

TEST_CASE("refused: a report of another provider, or of an address that is not the provider's", "[host][sessions]") {
  Scene scene;
  const auto id = scene.begin();
  scene.vm_is(RunState::ready, scene.guest.browser_vm);
  auto of_another = scene.a_report(id, Step::cli_started);
  of_another.provider = "gemini_cli";
  scene.report(of_another, scene.guest.browser_vm);
  auto elsewhere = scene.a_report(id, Step::url_found);
  elsewhere.private_url =
      "https://auth.openai.com.example/oauth/authorize?client_id=a&response_type=code&redirect_uri=b&state=c&code_challenge=d";
  scene.report(elsewhere, scene.guest.browser_vm);
  CHECK(scene.session(id).refusals == 2);
  CHECK(scene.session(id).url.empty());
  CHECK(scene.session(id).state == State::cli_starting);
}

TEST_CASE("refused: a second session of the same user and provider while one is under way", "[host][sessions]") {
  Scene scene;
  const auto id = scene.begin();
  const auto second = scene.sessions->open(scene.order());
  REQUIRE_FALSE(second);
  CHECK(second.error().code() == Errc::conflict);
  CHECK(second.error().message().find("vigil session cancel " + id) != std::string::npos);
  auto of_bob = scene.order();
  of_bob.user = "bob";
  CHECK(scene.sessions->open(of_bob));
  REQUIRE(scene.sessions->cancel(id, "me"));
  CHECK(scene.sessions->open(scene.order()));
}

TEST_CASE("a VM that crashes fails its session at once, with the VM's cause", "[host][sessions]") {
  Scene scene;
  const auto id = scene.begin();
  scene.vm_is(RunState::ready, scene.guest.browser_vm);
  scene.vm_is(RunState::crashed, scene.guest.browser_vm, protocol::make_cause(CauseCode::guest_panic));
  const auto& session = scene.session(id);
  CHECK(session.state == State::failed);
  CHECK(session.cause->code == CauseCode::signin_vm_lost);
  CHECK(session.cause->evidence.at(1).starts_with("guest.panic: "));
  CHECK(scene.guest.has_done_like("remove " + scene.guest.browser_vm.value()));
  CHECK_FALSE(scene.guest.has_done_like("remove " + scene.guest.cli_vm.value()));
}

TEST_CASE("what the guest says of its end is the session's cause", "[host][sessions]") {
  Scene scene;
  const auto id = scene.begin();
  scene.vm_is(RunState::ready, scene.guest.browser_vm);
  scene.step(id, Step::failed);
  CHECK(scene.session(id).state == State::failed);
  CHECK(scene.session(id).cause->code == CauseCode::signin_cli_exited);
}

TEST_CASE("given by a client: stored when it fits the session's provider, refused when it does not", "[host][sessions]") {
  Scene scene;
  const auto id = scene.begin();
  CHECK(scene.sessions->give(id, vault::Secret::copy_of("{}"), "me").error().code() == Errc::invalid);
  CHECK(scene.vault.list()->empty());
  REQUIRE(scene.sessions->give(id, vault::Secret::copy_of(a_credential), "me"));
  scene.turn();
  CHECK(scene.session(id).state == State::completed);
  CHECK(scene.vault.list()->size() == 1);
  CHECK(scene.sessions->give(id, vault::Secret::copy_of(a_credential), "me").error().code() == Errc::conflict);
}

}  // namespace vigil::sessions
