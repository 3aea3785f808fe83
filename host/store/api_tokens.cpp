// Bearer tokens of the API: rows, never their text.
#include "host/store/store.hpp"
#include "host/store/store_state.hpp"

namespace vigil::store {

namespace {

constexpr char token_columns[] = "SELECT id, sha256, owner, scopes, label, created_unix_us, expires_unix_us, revoked_unix_us FROM api_tokens ";

TokenRow read_token(const Statement& row) {
  TokenRow token{row.text(0), row.text(1), row.text(2), row.text(3), row.text(4), row.integer(5), {}, {}};
  if (!row.is_null(6)) token.expires_unix_us = row.integer(6);
  if (!row.is_null(7)) token.revoked_unix_us = row.integer(7);
  return token;
}

}  // namespace

Result<void> Store::add_token(const TokenRow& token) {
  TRY(insert, state_->database.prepare("INSERT INTO api_tokens(id, sha256, owner, scopes, label, created_unix_us, expires_unix_us) VALUES(?, ?, ?, ?, ?, ?, ?)"));
  insert.bind(1, token.id).bind(2, token.sha256).bind(3, token.owner).bind(4, token.scopes).bind(5, token.label).bind(6, token.created_unix_us);
  if (token.expires_unix_us) insert.bind(7, *token.expires_unix_us);
  else insert.bind_null(7);
  return insert.run();
}

Result<std::optional<TokenRow>> Store::find_token(std::string_view id) const {
  TRY(row, state_->database.prepare((std::string(token_columns) + "WHERE id = ?").c_str()));
  row.bind(1, id);
  TRY(has_row, row.step());
  if (!has_row) return std::optional<TokenRow>();
  return std::optional(read_token(row));
}

Result<std::vector<TokenRow>> Store::tokens() const {
  TRY(rows, state_->database.prepare((std::string(token_columns) + "ORDER BY created_unix_us, id").c_str()));
  std::vector<TokenRow> tokens;
  while (true) {
    TRY(has_row, rows.step());
    if (!has_row) return tokens;
    tokens.push_back(read_token(rows));
  }
}

Result<void> Store::revoke_token(std::string_view id, UnixUs at) {
  TRY(known, find_token(id));
  if (!known) return Error(Errc::not_found, "there is no token " + std::string(id.substr(0, 80)));
  TRY(update, state_->database.prepare("UPDATE api_tokens SET revoked_unix_us = ? WHERE id = ? AND revoked_unix_us IS NULL"));
  return update.bind(1, at).bind(2, id).run();
}

}  // namespace vigil::store
