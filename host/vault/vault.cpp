#include "host/vault/vault.hpp"

#include "host/vault/cipher.hpp"
#include "host/vault/vault_audit.hpp"
#include "host/vault/vault_file.hpp"
#include "host/vault/vault_rows.hpp"

#include <spdlog/spdlog.h>

namespace vigil::vault {

struct Vault::Opened {
  store::Database database;
  VaultKeys keys;
  MasterKey master;   // a rotation needs it again
};

namespace {

constexpr UnixUs refusals_gathered_us = 60'000'000;
constexpr std::size_t max_refused_actors = 1024;
constexpr char outcome_ok[] = "ok", outcome_missing[] = "not_found", outcome_damaged[] = "damaged";

Error no_credential(const EntryKey& of) {
  return Error(Errc::not_found, "the vault has no credential of " + of.provider + " for user " + of.user +
                                    ": vigil session start --provider " + of.provider + " --user " + of.user);
}

/// Every credential can be opened, and no row of the log is missing.
Result<void> check_contents(const store::Database& database, const VaultKeys& keys) {
  TRY(rows, read_rows(database, keys.audit));
  for (const auto& row : rows)
    if (const auto opened = open_row(row, keys.records); !opened) return opened.error();
  return check_audit(database, keys.audit);
}

/// A new master key takes the place of the one that was named as the old one.
Result<void> change_master(store::Database& database, const MasterKey& master, const std::string& old_key, UnixUs now) {
  if (old_key.empty()) return {};
  TRY(before, read_master_key(old_key));
  bool is_changed = false;
  const auto done = in_transaction(database, [&]() -> Result<void> {
    TRY(changed, seal_keys_anew(database, before, master));
    is_changed = changed;
    if (!changed) return {};
    TRY(keys, load_keys(database, master));
    return append_audit(database, keys.audit, {0, now, "vigild", "rekey", {}, outcome_ok});
  });
  if (!done) return done.error();
  if (is_changed) spdlog::info("vault.master_key_changed before={} now={} path={}", before.id, master.id, master.source);
  return {};
}

}  // namespace

Vault::Vault(VaultPlaces places, const Clock& clock) : places_(std::move(places)), clock_(clock) {}
Vault::~Vault() = default;

Result<std::unique_ptr<Vault::Opened>> Vault::open_file(MayMake may_make) const {
  const bool is_new = !vault_exists(places_.path);
  TRY(master, find_master_key(places_.keys, is_new ? may_make : MayMake::no));
  auto opened = std::make_unique<Opened>();
  TRY(database, open_vault_file(places_.path));
  TRY_VOID(change_master(database, master, places_.old_key, clock_.unix_us()));
  const auto loaded = in_transaction(database, [&]() -> Result<void> {
    TRY(keys, load_keys(database, master));
    opened->keys = std::move(keys);
    return {};
  });
  if (!loaded) return loaded.error();
  if (const auto checked = check_contents(database, opened->keys); !checked) return checked.error().with_context(places_.path);
  opened->database = std::move(database);
  opened->master = std::move(master);
  return opened;
}

Result<Vault::Opened*> Vault::opened(MayMake may_make) {
  if (opened_) return opened_.get();
  if (may_make == MayMake::no && !vault_exists(places_.path)) return static_cast<Opened*>(nullptr);
  auto opened = open_file(may_make);
  if (!opened) return opened.error().with_context("the vault is not opened");
  opened_ = std::move(*opened);
  spdlog::info("vault.opened path={} master_key={} key={}", places_.path, opened_->master.id, opened_->keys.records.id);
  return opened_.get();
}

Result<void> Vault::open() {
  TRY(there, opened(MayMake::no));
  (void)there;
  return {};
}

Result<Entry> Vault::put(const EntryKey& of, const Secret& credential, const Origin& origin, const std::string& actor) {
  if (credential.size() == 0) return Error(Errc::invalid, "the credential is empty");
  if (credential.size() > max_credential_bytes)
    return Error(Errc::limit, "a credential has at most " + std::to_string(max_credential_bytes) + " bytes, this one " +
                                  std::to_string(credential.size()));
  TRY(vault, opened(MayMake::yes));
  Entry entry;
  const auto stored = in_transaction(vault->database, [&]() -> Result<void> {
    TRY(before, read_row(vault->database, vault->keys.audit, of));
    entry.of = of;
    entry.version = before ? before->entry.version + 1 : 1;
    entry.stored_unix_us = clock_.unix_us();
    entry.bytes = credential.size();
    entry.sha256 = sha256(credential.view());
    entry.shape = origin.shape;
    entry.session = origin.session;
    entry.key = vault->keys.records.id;
    TRY_VOID(write_row(vault->database, vault->keys, entry, credential));
    return append_audit(vault->database, vault->keys.audit, {0, entry.stored_unix_us, actor, "store", of, outcome_ok});
  });
  if (!stored) return stored.error();
  return entry;
}

Result<Secret> Vault::reveal(const EntryKey& of, const std::string& action, const std::string& actor) {
  TRY(vault, opened(MayMake::no));
  if (vault == nullptr) return no_credential(of);
  TRY(row, read_row(vault->database, vault->keys.audit, of));
  Result<Secret> secret = no_credential(of);
  if (row) secret = open_row(*row, vault->keys.records);
  const std::string outcome = secret ? outcome_ok : row ? outcome_damaged : outcome_missing;
  const auto told = in_transaction(
      vault->database, [&] { return append_audit(vault->database, vault->keys.audit, {0, clock_.unix_us(), actor, action, of, outcome}); });
  if (!told) return told.error();
  return secret;
}

Result<void> Vault::remove(const EntryKey& of, const std::string& actor) {
  TRY(known, find(of));
  if (!known) return no_credential(of);
  TRY(vault, opened(MayMake::no));
  return in_transaction(vault->database, [&]() -> Result<void> {
    TRY_VOID(delete_row(vault->database, of));
    return append_audit(vault->database, vault->keys.audit, {0, clock_.unix_us(), actor, "remove", of, outcome_ok});
  });
}

Result<void> Vault::note_check(const EntryKey& of, const Check& check) {
  TRY(vault, opened(MayMake::no));
  if (vault == nullptr) return no_credential(of);
  return in_transaction(vault->database, [&] { return write_check(vault->database, vault->keys.audit, of, check); });
}

Result<void> Vault::note_refusal(const EntryKey& of, const std::string& action, const std::string& actor, const std::string& why) {
  TRY(vault, opened(MayMake::no));
  if (vault == nullptr) return {};
  const auto now = clock_.unix_us();
  std::erase_if(refused_, [&](const auto& each) { return each.second.told_unix_us + 10 * refusals_gathered_us < now; });
  const auto known = refused_.find(actor);
  if (known == refused_.end() && refused_.size() >= max_refused_actors) return {};
  auto& refused = known == refused_.end() ? refused_[actor] : known->second;
  if (refused.told_unix_us != 0 && now < refused.told_unix_us + refusals_gathered_us) {
    ++refused.count;
    return {};
  }
  const auto outcome = refused.count == 0 ? why : why + ", and " + std::to_string(refused.count) + " times before";
  refused = {now, 0};
  return in_transaction(vault->database,
                        [&] { return append_audit(vault->database, vault->keys.audit, {0, now, actor, action, of, outcome}); });
}

Result<Rotation> Vault::rotate(const std::string& actor) {
  TRY(vault, opened(MayMake::no));
  if (vault == nullptr) return Error(Errc::not_found, "there is no vault yet: it is made by the first credential");
  Rotation rotation;
  VaultKeys next;
  next.records = make_vault_key();
  next.audit = VaultKey{vault->keys.audit.id, Secret::copy_of(vault->keys.audit.key.view())};
  rotation.before = vault->keys.records.id;
  rotation.now = next.records.id;
  const auto sealed = in_transaction(vault->database, [&]() -> Result<void> {
    TRY(rows, read_rows(vault->database, vault->keys.audit));
    TRY_VOID(write_key(vault->database, vault->master, "records", next.records));
    for (const auto& row : rows) {
      TRY(credential, open_row(row, vault->keys.records));
      TRY_VOID(write_row(vault->database, next, row.entry, credential));
    }
    rotation.credentials = rows.size();
    return append_audit(vault->database, next.audit, {0, clock_.unix_us(), actor, "rotate", {}, outcome_ok});
  });
  if (!sealed) return sealed.error();
  vault->keys = std::move(next);
  TRY_VOID(vault->database.run("PRAGMA wal_checkpoint(TRUNCATE)"));   // what was sealed under the old key leaves the log, too
  return rotation;
}

Result<std::optional<Entry>> Vault::find(const EntryKey& of) {
  TRY(vault, opened(MayMake::no));
  if (vault == nullptr) return std::optional<Entry>();
  TRY(row, read_row(vault->database, vault->keys.audit, of));
  return row ? std::optional(row->entry) : std::nullopt;
}

Result<std::vector<Entry>> Vault::list() {
  std::vector<Entry> entries;
  TRY(vault, opened(MayMake::no));
  if (vault == nullptr) return entries;
  TRY(rows, read_rows(vault->database, vault->keys.audit));
  for (auto& row : rows) entries.push_back(std::move(row.entry));
  return entries;
}

Result<std::vector<AuditRow>> Vault::audit(std::size_t limit) {
  TRY(vault, opened(MayMake::no));
  if (vault == nullptr) return std::vector<AuditRow>();
  return newest_audit(vault->database, limit);
}

}  // namespace vigil::vault
