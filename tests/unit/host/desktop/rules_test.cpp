// Permits, tickets, cookies, hosts, origins and reasons: without I/O.
#include "host/desktop/admission.hpp"
#include "host/desktop/head_rules.hpp"
#include "host/desktop/key_file.hpp"
#include "tests/unit/host/desktop/door.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <sys/stat.h>

namespace vigil::desktop {

namespace {
const InstanceId ours("vm-0123456789"), theirs("vm-abcdefghjk");
const std::string ours_host = "vm-0123456789.localhost:6090";
using Found = PermitLook::Found;
}  // namespace

TEST_CASE("desktop: a permit is good for its VM, its purpose, its key and its time alone", "[host][desktop]") {
  const auto key = random_key();
  const auto permit = make_permit(key, {Purpose::ticket, ours}, 1000);
  CHECK(look_at_permit(key, {Purpose::ticket, ours}, permit, 999).found == Found::good);
  CHECK(look_at_permit(key, {Purpose::ticket, ours}, permit, 1000).found == Found::expired);
  CHECK(look_at_permit(key, {Purpose::ticket, theirs}, permit, 999).found == Found::forged);
  CHECK(look_at_permit(key, {Purpose::cookie, ours}, permit, 999).found == Found::forged);
  CHECK(look_at_permit(random_key(), {Purpose::ticket, ours}, permit, 999).found == Found::forged);
  for (std::size_t i = 0; i < permit.size(); ++i) {
    auto changed = permit;
    changed[i] = changed[i] == '1' ? '2' : '1';
    CHECK(look_at_permit(key, {Purpose::ticket, ours}, changed, 999).found == Found::forged);
    CHECK(look_at_permit(key, {Purpose::ticket, ours}, permit.substr(0, i), 999).found == Found::forged);
  }
  CHECK(look_at_permit(key, {Purpose::ticket, ours}, permit + "0", 999).found == Found::forged);
  CHECK(look_at_permit(key, {Purpose::ticket, ours}, "99999999999999999999" + permit.substr(4), 1).found == Found::forged);
}

TEST_CASE("desktop: a ticket becomes a cookie once, and in its time", "[host][desktop]") {
  test_door::TestClock clock;
  Admission admission(clock, random_key(), {});
  const auto ticket = admission.make_ticket(ours);
  const auto code_of = [&](const InstanceId& vm, const std::string& text) {
    const auto redeemed = admission.redeem(vm, text);
    const auto* const closing = std::get_if<Closing>(&redeemed);
    return closing == nullptr ? 0 : static_cast<int>(closing->code);
  };
  CHECK(code_of(theirs, ticket) == 4001);
  const auto cookie = std::get<std::string>(admission.redeem(ours, ticket));
  CHECK_FALSE(admission.refuse_cookie(ours, cookie));
  CHECK(admission.refuse_cookie(theirs, cookie));
  CHECK(admission.refuse_cookie(ours, ticket));
  CHECK(code_of(ours, ticket) == 4003);
  CHECK(code_of(ours, cookie) == 4001);
  const auto late = admission.make_ticket(ours);
  clock.now += 61'000'000;
  CHECK(code_of(ours, late) == 4001);
  CHECK(code_of(ours, ticket) == 4001);   // forgotten, and too old
  CHECK_FALSE(admission.refuse_cookie(ours, cookie));
  clock.now += 13ull * 3600 * 1'000'000;
  CHECK(admission.refuse_cookie(ours, cookie));
}

TEST_CASE("desktop: the key of the cookies is made once, private, and refused when others may read it", "[host][desktop]") {
  test::TemporaryDirectory directory;
  const auto path = (directory.path() / "desktop.key").string();
  const auto first = load_key(path), second = load_key(path);
  REQUIRE(first.has_value());
  CHECK(first->size() == key_bytes);
  CHECK(*first == *second);
  struct stat facts{};
  REQUIRE(::stat(path.c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0777) == 0600);
  REQUIRE(::chmod(path.c_str(), 0640) == 0);
  CHECK(load_key(path).error().code() == Errc::invalid);
  REQUIRE(::chmod(path.c_str(), 0600) == 0);
  std::ofstream(path) << "short";
  CHECK(load_key(path).error().code() == Errc::invalid);
}

TEST_CASE("desktop: only a VM's own host is served, and only to its own pages", "[host][desktop]") {
  const auto status = [](const Head& head) {
    const auto vm = vm_of(head);
    const auto* const refusal = std::get_if<ports::Refusal>(&vm);
    return refusal == nullptr ? 0 : refusal->status;
  };
  CHECK(status({"/", ours_host, "", "", ""}) == 0);
  CHECK(std::get<InstanceId>(vm_of({"/view", ours_host, "", "same-origin", "cors"})) == ours);
  for (const char* const host : {"127.0.0.1:6090", "localhost:6090", "demo.localhost:6090", "web--vm-0123456789.localhost",
                                 "vm-0123456789.localhost.evil.example", "vm-0123456789.example", "evil.example", "", "vm-0123456789",
                                 "VM-0123456789.localhost@evil", "[::1]:6090", "x.vm-0123456789.localhost"})
    CHECK(status({"/", host, "", "", ""}) == 421);
  CHECK(status({"/rfb", ours_host, "http://" + ours_host, "same-origin", "websocket"}) == 0);
  CHECK(status({"/rfb", ours_host, "", "", ""}) == 403);
  for (const char* const origin :
       {"http://evil.example", "null", "https://vm-0123456789.localhost:6090", "http://vm-0123456789.localhost:8090",
        "http://vm-abcdefghjk.localhost:6090", "http://web--vm-0123456789.localhost:6090"})
    CHECK(status({"/rfb", ours_host, origin, "", ""}) == 403);
  CHECK(status({"/view", ours_host, "", "cross-site", "cors"}) == 403);
  CHECK(status({"/view", ours_host, "", "same-site", "no-cors"}) == 403);
  CHECK(status({"/view", ours_host, "", "cross-site", "navigate"}) == 403);
  CHECK(status({"/", ours_host, "", "cross-site", "navigate"}) == 0);   // a link from elsewhere opens the page; it holds nothing
}

TEST_CASE("desktop: a cookie is found by its whole name, and not when two differ", "[host][desktop]") {
  CHECK(cookie_of("vigil_desktop=a.b", cookie_name) == "a.b");
  CHECK(cookie_of("x=1; vigil_desktop = a ; y=2", cookie_name) == "a");
  CHECK(cookie_of("vigil_desktop=a; vigil_desktop=a", cookie_name) == "a");
  CHECK_FALSE(cookie_of("vigil_desktop=a; vigil_desktop=b", cookie_name));
  CHECK_FALSE(cookie_of("xvigil_desktop=a; vigil_desktopx=b; vigil_desktop", cookie_name));
  CHECK_FALSE(cookie_of("", cookie_name));
  CHECK_FALSE(cookie_of(";;;=;", cookie_name));
}

TEST_CASE("desktop: a reason fits into its frame and is UTF-8", "[host][desktop]") {
  const auto closing = make_closing(CloseCode::vm_ended, std::string(122, 'x') + "\xc3\xa9\xc3\xa9");
  CHECK(closing.reason == std::string(122, 'x'));
  CHECK(make_closing(CloseCode::vm_ended, "a\xff").reason == "a\xef\xbf\xbd");
}

}  // namespace vigil::desktop
