#include "shared/protocol/wire.hpp"

namespace vigil::protocol::wire {

namespace {

json to_json(const SigninCredential& credential) {
  return object_of("schema", text(credential.schema, 64), "bytes", number(credential.bytes), "sha256", text(credential.sha256, 64));
}

Result<std::optional<SigninCredential>> read_credential(const json& object) {
  const auto given = object.find("credential");
  if (given == object.end()) return std::optional<SigninCredential>();
  if (!given->is_object()) return Error(Errc::invalid, "credential: not an object");
  TRY(schema, read_string(*given, "schema", 64));
  TRY(sha256, read_string(*given, "sha256", 64));
  TRY(bytes, read_int<std::uint64_t>(*given, "bytes"));
  const bool is_hash = sha256.size() == 64 && sha256.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!is_hash) return Error(Errc::invalid, "credential.sha256: not 64 digits of lower-case hex");
  return std::optional(SigninCredential{std::move(schema), std::move(sha256), bytes});
}

Result<std::string> read_screen(const json& object) {
  if (!object.contains("screen_b64")) return std::string();
  return read_bytes(object, "screen_b64", max_screen_bytes);
}

/// A step without what it is about is none.
Result<void> check_step(const SigninReport& report) {
  if (report.step == SigninReport::Step::credential_found && !report.credential) return Error(Errc::invalid, "credential: missing");
  if (report.step == SigninReport::Step::failed && !report.cause) return Error(Errc::invalid, "cause: missing");
  if (report.step != SigninReport::Step::url_found && !report.private_url.empty())
    return Error(Errc::invalid, "private_url: not of this step");
  return {};
}

}  // namespace

json to_json(const SigninReport& report) {
  json object = object_of("session", report.session.value(), "provider", text(report.provider, 32), "step", vigil::to_text(report.step));
  if (!report.detail.empty()) object["detail"] = text(report.detail, max_detail_bytes);
  // Cut, an address would be another one: rather none.
  if (!report.private_url.empty() && report.private_url.size() <= max_url_bytes)
    object["private_url"] = text(report.private_url, max_url_bytes);
  if (!report.cli_version.empty()) object["cli_version"] = text(report.cli_version, 64);
  if (report.credential) object["credential"] = to_json(*report.credential);
  if (report.cause) object["cause"] = to_json(*report.cause);
  if (!report.screen.empty())
    object["screen_b64"] =
        to_base64(std::string_view(report.screen).substr(report.screen.size() - std::min(report.screen.size(), max_screen_bytes)));
  return object;
}

Result<SigninReport> parse_signin(const json& object) {
  SigninReport report;
  TRY(session_text, read_string(object, "session", 64));
  TRY(session, parse_signin_session_id(session_text));
  TRY(provider, read_string(object, "provider", 32));
  TRY(step, read_enum<SigninReport::Step>(object, "step"));
  TRY(detail, read_text_or(object, "detail", "", max_detail_bytes));
  TRY(url, read_text_or(object, "private_url", "", max_url_bytes));
  TRY(cli_version, read_text_or(object, "cli_version", "", 64));
  TRY(credential, read_credential(object));
  TRY(cause, read_cause_if_any(object, "cause"));
  TRY(screen, read_screen(object));
  report = {std::move(session), std::move(provider), step, std::move(detail), std::move(url), std::move(cli_version), std::move(credential),
            std::move(cause),   std::move(screen)};
  TRY_VOID(check_step(report));
  return report;
}

}  // namespace vigil::protocol::wire
