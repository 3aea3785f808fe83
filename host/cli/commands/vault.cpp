// vigil vault: credentials of users, without showing one.
#include "host/cli/commands.hpp"
#include "host/cli/view.hpp"

#include <nlohmann/json.hpp>

namespace vigil::cli {

using nlohmann::json;

namespace {

struct VaultName {
  std::string user, provider, owner;
};

std::string validity_cell(const json& entry) {
  if (!entry.contains("check") || entry["check"].is_null()) return "-";
  return (is_true(entry["check"], "valid") ? "valid, " : "invalid, ") + ago(number(entry["check"], "at_unix_us"));
}

int run_vault_list(Cli& cli) {
  const auto list = cli.client().get("/v1/vault");
  if (!list) return fail(list.error());
  if (cli.json) {
    print_json(*list);
    return 0;
  }
  std::vector<std::vector<std::string>> rows = {{"USER", "PROVIDER", "OWNER", "VERSION", "STORED", "BYTES", "CHECKED", "KEY"}};
  for (const auto& entry : *list) {
    const auto owner = safe(text(entry, "owner"));
    rows.push_back({safe(text(entry, "user")), safe(text(entry, "provider")), owner.empty() ? "-" : owner, text(entry, "version"),
                    ago(number(entry, "stored_unix_us")), text(entry, "bytes"), validity_cell(entry), text(entry, "key")});
  }
  print_table(rows);
  return 0;
}

int run_vault_remove(Cli& cli, const VaultName& name) {
  const auto owner = name.owner.empty() ? "" : "?owner=" + segment(name.owner);
  const auto removed = cli.client().remove("/v1/vault/" + segment(name.user) + "/" + segment(name.provider) + owner);
  if (!removed) return fail(removed.error());
  if (!cli.json)
    std::printf("%s/%s: removed from the vault; what was delivered stays in the CLI VM\n", safe(name.user).c_str(),
                safe(name.provider).c_str());
  return 0;
}

int run_vault_audit(Cli& cli, std::uint32_t limit) {
  const auto list = cli.client().get("/v1/vault-audit?limit=" + std::to_string(limit));
  if (!list) return fail(list.error());
  if (cli.json) {
    print_json(*list);
    return 0;
  }
  std::vector<std::vector<std::string>> rows = {{"SEQ", "WHEN", "WHO", "WHAT", "USER", "PROVIDER", "OUTCOME"}};
  for (const auto& row : *list)
    rows.push_back({text(row, "seq"), ago(number(row, "at_unix_us")), safe(text(row, "actor")), text(row, "action"),
                    safe(text(row, "user")), safe(text(row, "provider")), safe(text(row, "outcome"))});
  print_table(rows);
  return 0;
}

int run_vault_rotate(Cli& cli) {
  const auto rotated = cli.client().post("/v1/vault-rotate", json::object());
  if (!rotated) return fail(rotated.error());
  if (cli.json)
    print_json(*rotated);
  else
    std::printf("%s credentials are sealed under key %s now; %s is forgotten\n", text(*rotated, "credentials").c_str(),
                text(*rotated, "now").c_str(), text(*rotated, "before").c_str());
  return 0;
}

}  // namespace

void add_vault(CLI::App& app, Cli& cli) {
  auto vault = add_group(app, "vault", "credentials of users: ls, rm, audit, rotate");
  vault.below(cli, "ls", "what is kept; never a credential", [&cli] { return run_vault_list(cli); }).alias("list");
  auto name = std::make_shared<VaultName>();
  vault.below(cli, "rm", "remove one from the vault", [&cli, name] { return run_vault_remove(cli, *name); })
      .text("user", name->user, "whose", Need::required)
      .text("provider", name->provider, "claude_code, codex or gemini_cli", Need::required)
      .text("--owner", name->owner, "of another owner (admins)");
  auto limit = std::make_shared<std::uint32_t>(200);
  vault.below(cli, "audit", "who has touched which credential, the newest first", [&cli, limit] { return run_vault_audit(cli, *limit); })
      .number("-n,--limit", *limit, "how many (200)");
  vault.below(cli, "rotate", "seal everything anew under a new key", [&cli] { return run_vault_rotate(cli); });
}

}  // namespace vigil::cli
