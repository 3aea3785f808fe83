// vigil token: bearer tokens for the API over TCP, or for less than one is on the Unix socket.
#include "host/cli/commands.hpp"
#include "host/cli/view.hpp"

#include <nlohmann/json.hpp>

#include <ctime>

namespace vigil::cli {

using nlohmann::json;

namespace {

struct TokenOptions {
  std::string owner, label;
  std::vector<std::string> scopes;
  std::optional<std::uint32_t> days;
};

std::string day_of(const json& token, const char* key) {
  if (!token.contains(key) || token[key].is_null()) return "-";
  const std::time_t seconds = number(token, key) / 1'000'000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char buffer[32];
  std::strftime(buffer, sizeof buffer, "%Y-%m-%d %H:%M", &utc);
  return buffer;
}

std::string joined_scopes(const json& token) {
  std::string all;
  for (const auto& scope : token.at("scopes")) all += (all.empty() ? "" : ",") + scope.get<std::string>();
  return all;
}

int run_token_create(Cli& cli, const TokenOptions& options) {
  json order = {{"owner", options.owner}, {"scopes", options.scopes.empty() ? std::vector<std::string>{"read"} : options.scopes}};
  if (!options.label.empty()) order["label"] = options.label;
  if (options.days) order["expires_days"] = *options.days;
  const auto made = cli.client().post("/v1/tokens", order);
  if (!made) return fail(made.error());
  if (cli.json) {
    print_json(*made);
    return 0;
  }
  std::printf("%s\n", text(*made, "token").c_str());
  std::fprintf(stderr, "token %s of %s, scopes %s. It is shown this once: put it into a file of mode 0600 and name that in VIGIL_TOKEN_FILE.\n", text(*made, "id").c_str(),
               text(*made, "owner").c_str(), joined_scopes(*made).c_str());
  return 0;
}

int run_token_list(Cli& cli) {
  const auto list = cli.client().get("/v1/tokens");
  if (!list) return fail(list.error());
  if (cli.json) {
    print_json(*list);
    return 0;
  }
  std::vector<std::vector<std::string>> rows = {{"ID", "OWNER", "SCOPES", "CREATED", "EXPIRES", "REVOKED", "LABEL"}};
  for (const auto& token : *list)
    rows.push_back({text(token, "id"), text(token, "owner"), joined_scopes(token), day_of(token, "created_unix_us"), day_of(token, "expires_unix_us"),
                    day_of(token, "revoked_unix_us"), safe(text(token, "label"))});
  print_table(rows);
  return 0;
}

int run_token_revoke(Cli& cli, const std::string& id) {
  const auto revoked = cli.client().remove("/v1/tokens/" + segment(id));
  if (!revoked) return fail(revoked.error());
  if (!cli.json) std::printf("%s: revoked\n", safe(id).c_str());
  return 0;
}

}  // namespace

void add_token(CLI::App& app, Cli& cli) {
  auto token = add_group(app, "token", "bearer tokens for the API: create, ls, revoke");
  auto options = std::make_shared<TokenOptions>();
  token.below(cli, "create", "make a token and print it, this once", [&cli, options] { return run_token_create(cli, *options); })
      .text("--owner", options->owner, "whose instances it sees and makes: a name, or uid:N", Need::required)
      .texts("--scope", options->scopes, "read (the default), operate, admin, metrics or vault:read (repeatable)")
      .text("--label", options->label, "what it is for")
      .number("--expires-days", options->days, "days until it is over (default: never)");
  token.below(cli, "ls", "all tokens, without their text", [&cli] { return run_token_list(cli); }).alias("list");
  auto id = std::make_shared<std::string>();
  token.below(cli, "revoke", "end a token at once", [&cli, id] { return run_token_revoke(cli, *id); }).text("id", *id, "the token's id, as ls shows it", Need::required);
}

}  // namespace vigil::cli
