#include "guest/process/accounts.hpp"

#include <catch2/catch_test_macros.hpp>

namespace vigil::guest::process {
namespace {

constexpr const char* passwd = "root:x:0:0:root:/root:/bin/bash\nbroken line\nweb:x:33:44:Web:/srv/web:/usr/sbin/nologin\n";
constexpr const char* groups = "root:x:0:\nwww:x:44:\nvideo:x:27:kim,web\naudio:x:29:webber\nkvm:x:99:web\n";

TEST_CASE("accounts: a user comes with home, own group and the groups that list it", "[guest][process]") {
  const auto account = find_account(passwd, groups, "web", "");
  REQUIRE(account.has_value());
  CHECK(account->credentials.uid == 33);
  CHECK(account->credentials.gid == 44);
  CHECK(account->credentials.groups == std::vector<gid_t>{27, 99});
  CHECK(account->home == "/srv/web");
  CHECK(account->shell == "/usr/sbin/nologin");
}

TEST_CASE("accounts: a group may be another than the user's own", "[guest][process]") {
  const auto account = find_account(passwd, groups, "web", "audio");
  REQUIRE(account.has_value());
  CHECK(account->credentials.gid == 29);
}

TEST_CASE("accounts: numbers are ids, with the name where there is one", "[guest][process]") {
  const auto known = find_account(passwd, groups, "33", "1234");
  REQUIRE(known.has_value());
  CHECK(known->name == "web");
  CHECK(known->credentials.gid == 1234);
  const auto unknown = find_account(passwd, groups, "5000", "");
  REQUIRE(unknown.has_value());
  CHECK(unknown->credentials.uid == 5000);
}

TEST_CASE("accounts: who is not there is named; root needs no file", "[guest][process]") {
  CHECK(find_account(passwd, groups, "nobody", "").error().message() == "user nobody");
  CHECK(find_account(passwd, groups, "web", "games").error().message() == "group games");
  CHECK(find_account("", "", "root", "")->credentials.uid == 0);
}

TEST_CASE("environment: lines of /etc/environment are variables, with or without quotes; what is none is passed over", "[guest][process]") {
  const auto found = parse_environment(
      "# a comment\nPLAIN=1\n  export QUOTED=\"two words\" \r\nSINGLE='x'\nEMPTY=\nLATER=a\nLATER=b\nno variable\n9WRONG=1\n=x\nA B=1\nHALF=\"x");
  const std::map<std::string, std::string> wanted = {{"PLAIN", "1"}, {"QUOTED", "two words"}, {"SINGLE", "x"},
                                                     {"EMPTY", ""},  {"LATER", "b"},          {"HALF", "\"x"}};
  CHECK(found == wanted);
  CHECK(parse_environment(std::string("NUL=a\0b", 7)).empty());
}

TEST_CASE("environment: no file says who somebody is", "[guest][process]") {
  Account account;
  account.name = "web";
  account.home = "/srv/web";
  const auto found = environment_of(account);
  CHECK(found.at("HOME") == "/srv/web");
  CHECK(found.at("USER") == "web");
  CHECK(found.at("LOGNAME") == "web");
  CHECK(found.at("SHELL") == "/bin/sh");
  CHECK(!found.at("PATH").empty());
}

}  // namespace
}  // namespace vigil::guest::process
