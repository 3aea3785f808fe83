#include "shared/streams/opening.hpp"

#include "shared/base/ids.hpp"
#include "shared/base/overloaded.hpp"
#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

namespace vigil::streams {

using nlohmann::json;

namespace {

constexpr int version = 1;
constexpr std::size_t max_words = 1024, max_word_bytes = 128 * 1024, max_variables = 256;
constexpr JsonLimits opening_limits{.max_bytes = max_opening_bytes, .max_depth = 4, .max_values = 8 * max_services};

json size_json(const TerminalSize& size) { return {{"rows", size.rows}, {"columns", size.columns}}; }

json exec_json(const ExecOpening& open) {
  json out = {{"argv", open.argv}, {"user", open.user}, {"stdin", open.with_stdin}, {"detach", open.detach}};
  if (!open.env.empty()) out["env"] = open.env;
  if (!open.cwd.empty()) out["cwd"] = open.cwd;
  if (open.terminal) out["terminal"] = size_json(*open.terminal);
  return out;
}

json read_json(const FileReadOpening& open) {
  json out = {{"path", open.path}, {"offset", open.offset}};
  if (open.length) out["length"] = *open.length;
  return out;
}

json write_json(const FileWriteOpening& open) {
  json out = {{"path", open.path}};
  if (open.mode) out["mode"] = *open.mode;
  if (!open.user.empty()) out["user"] = open.user;
  return out;
}

json follow_json(const LogFollowOpening& open) {
  json out = {{"follow", open.follow}};
  if (!open.service.empty()) out["service"] = open.service;
  if (!open.boot.empty()) out["boot"] = open.boot;
  for (const auto& [name, position] : open.from) out["from"][name] = {{"out", position.out}, {"err", position.err}};
  return out;
}

json run_json(const SigninRunOpening& open) {
  return {{"session", open.session},
          {"provider", open.provider},
          {"user", open.user},
          {"deadline_s", open.deadline_s},
          {"terminal", size_json(open.terminal)}};
}

Result<std::map<std::string, std::string>> read_env(const json& object) {
  std::map<std::string, std::string> env;
  const auto given = object.find("env");
  if (given == object.end()) return env;
  if (!given->is_object() || given->size() > max_variables) return Error(Errc::invalid, "env: not an object of at most 256 variables");
  for (const auto& [name, value] : given->items()) {
    const bool odd = name.empty() || name.find_first_of(std::string_view("=\0", 2)) != std::string::npos;
    if (odd || !value.is_string() || value.get_ref<const std::string&>().find('\0') != std::string::npos)
      return Error(Errc::invalid, "env." + name + ": no name and value of a variable");
    env[name] = value.get<std::string>();
  }
  return env;
}

Result<std::optional<TerminalSize>> read_terminal(const json& object) {
  const auto given = object.find("terminal");
  if (given == object.end()) return std::optional<TerminalSize>();
  if (!given->is_object()) return Error(Errc::invalid, "terminal: not an object");
  TRY_VOID(refuse_unknown_keys(*given, {"rows", "columns"}));
  TRY(rows, read_integer(*given, "rows", 1, 10'000));
  TRY(columns, read_integer(*given, "columns", 1, 10'000));
  return std::optional(TerminalSize{static_cast<std::uint16_t>(rows), static_cast<std::uint16_t>(columns)});
}

Result<std::string> read_path(const json& object) {
  TRY(path, read_string(object, "path", max_path_bytes));
  if (!path.starts_with('/') || path.find('\0') != std::string::npos) return Error(Errc::invalid, "path: not an absolute path");
  return std::move(path);
}

Result<Opening> parse_exec(const json& object) {
  if (object.contains("attach")) {
    TRY_VOID(refuse_unknown_keys(object, {"v", "op", "attach"}));
    TRY(id, read_string(object, "attach", 64));
    return Opening(AttachOpening{std::move(id)});
  }
  TRY_VOID(refuse_unknown_keys(object, {"v", "op", "argv", "env", "cwd", "user", "terminal", "stdin", "detach"}));
  ExecOpening open;
  TRY(argv, read_strings(object, "argv", max_words, max_word_bytes));
  for (const auto& word : argv)
    if (word.find('\0') != std::string::npos) return Error(Errc::invalid, "argv: a word with a NUL");
  TRY(env, read_env(object));
  TRY(cwd, try_read_string(object, "cwd", max_path_bytes));
  TRY(user, try_read_string(object, "user", 64));
  TRY(terminal, read_terminal(object));
  TRY(with_stdin, try_read_bool(object, "stdin"));
  TRY(detach, try_read_bool(object, "detach"));
  return Opening(ExecOpening{std::move(argv), std::move(env), cwd.value_or(""), user.value_or("root"), terminal, with_stdin.value_or(false), detach.value_or(false)});
}

Result<Opening> parse_tcp(const json& object) {
  TRY_VOID(refuse_unknown_keys(object, {"v", "op", "port"}));
  TRY(port, read_integer(object, "port", 1, 65'535));
  return Opening(TcpOpening{static_cast<std::uint16_t>(port)});
}

Result<Opening> parse_file_read(const json& object) {
  TRY_VOID(refuse_unknown_keys(object, {"v", "op", "path", "offset", "length"}));
  TRY(path, read_path(object));
  TRY(offset, try_read_integer(object, "offset"));
  TRY(length, try_read_integer(object, "length"));
  FileReadOpening open{std::move(path), static_cast<std::uint64_t>(offset.value_or(0)), {}};
  if (length) open.length = static_cast<std::uint64_t>(*length);
  return Opening(std::move(open));
}

Result<Opening> parse_file_write(const json& object) {
  TRY_VOID(refuse_unknown_keys(object, {"v", "op", "path", "mode", "user"}));
  TRY(path, read_path(object));
  TRY(mode, try_read_integer(object, "mode", 0, 07777));
  TRY(user, try_read_string(object, "user", 64));
  FileWriteOpening open{std::move(path), {}, user.value_or("")};
  if (mode) open.mode = static_cast<std::uint32_t>(*mode);
  return Opening(std::move(open));
}

Result<Opening> parse_dir_list(const json& object) {
  TRY_VOID(refuse_unknown_keys(object, {"v", "op", "path"}));
  TRY(path, read_path(object));
  return Opening(DirListOpening{std::move(path)});
}

Result<Opening> parse_dir_watch(const json& object) {
  TRY_VOID(refuse_unknown_keys(object, {"v", "op", "path"}));
  TRY(path, read_path(object));
  return Opening(DirWatchOpening{std::move(path)});
}

Result<std::map<std::string, LogPosition>> read_positions(const json& object) {
  std::map<std::string, LogPosition> from;
  const auto given = object.find("from");
  if (given == object.end()) return from;
  if (!given->is_object() || given->size() > max_services) return Error(Errc::invalid, "from: not an object of at most " + std::to_string(max_services) + " services");
  for (const auto& [name, position] : given->items()) {
    TRY(service, parse_service_name(name));
    if (!position.is_object()) return Error(Errc::invalid, "from." + name + ": not an object");
    TRY_VOID(refuse_unknown_keys(position, {"out", "err"}));
    TRY(out, read_integer(position, "out"));
    TRY(err, read_integer(position, "err"));
    from[service.value()] = {static_cast<std::uint64_t>(out), static_cast<std::uint64_t>(err)};
  }
  return from;
}

Result<Opening> parse_log_follow(const json& object) {
  TRY_VOID(refuse_unknown_keys(object, {"v", "op", "service", "follow", "boot", "from"}));
  LogFollowOpening open;
  TRY(service, try_read_string(object, "service", 64));
  if (service) {
    TRY(name, parse_service_name(*service));
    open.service = name.value();
  }
  TRY(follow, try_read_bool(object, "follow"));
  TRY(boot, try_read_string(object, "boot", 64));
  TRY(from, read_positions(object));
  open.follow = follow.value_or(true);
  open.boot = boot.value_or("");
  open.from = std::move(from);
  return Opening(std::move(open));
}

Result<std::string> read_session(const json& object) {
  TRY(text, read_string(object, "session", 64));
  TRY(session, parse_signin_session_id(text));
  return session.value();
}

Result<Opening> parse_signin_run(const json& object) {
  TRY_VOID(refuse_unknown_keys(object, {"v", "op", "session", "provider", "user", "deadline_s", "terminal"}));
  SigninRunOpening open;
  TRY(session, read_session(object));
  TRY(provider, read_string(object, "provider", 32));
  TRY(user, try_read_string(object, "user", 64));
  TRY(deadline, try_read_integer(object, "deadline_s", 1, 24 * 60 * 60));
  TRY(terminal, read_terminal(object));
  open.session = std::move(session);
  open.provider = std::move(provider);
  if (user) open.user = std::move(*user);
  if (deadline) open.deadline_s = static_cast<std::uint32_t>(*deadline);
  if (terminal) open.terminal = *terminal;
  return Opening(std::move(open));
}

Result<Opening> parse_signin_take(const json& object) {
  TRY_VOID(refuse_unknown_keys(object, {"v", "op", "session"}));
  TRY(session, read_session(object));
  return Opening(SigninTakeOpening{std::move(session)});
}

Result<Opening> parse_signin_forget(const json& object) {
  TRY_VOID(refuse_unknown_keys(object, {"v", "op", "session", "sha256"}));
  TRY(session, read_session(object));
  TRY(sha256, read_string(object, "sha256", 64));
  const bool is_hash = sha256.size() == 64 && sha256.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!is_hash) return Error(Errc::invalid, "sha256: not 64 digits of lower-case hex");
  return Opening(SigninForgetOpening{std::move(session), std::move(sha256)});
}

struct Op {
  std::string_view name;
  Result<Opening> (*parse)(const json&);
};
constexpr Op ops[] = {{"exec", parse_exec}, {"tcp", parse_tcp}, {"file.read", parse_file_read}, {"file.write", parse_file_write}, {"dir.list", parse_dir_list},
                      {"dir.watch", parse_dir_watch}, {"log.follow", parse_log_follow}, {"signin.run", parse_signin_run}, {"signin.take", parse_signin_take},
                      {"signin.forget", parse_signin_forget}};

json body_of(const Opening& opening) {
  return std::visit(Overloaded{[](const ExecOpening& open) { return exec_json(open); }, [](const AttachOpening& open) { return json{{"attach", open.exec}}; },
                               [](const TcpOpening& open) { return json{{"port", open.port}}; }, [](const FileReadOpening& open) { return read_json(open); },
                               [](const FileWriteOpening& open) { return write_json(open); }, [](const DirListOpening& open) { return json{{"path", open.path}}; },
                               [](const DirWatchOpening& open) { return json{{"path", open.path}}; },
                               [](const LogFollowOpening& open) { return follow_json(open); },
                               [](const SigninRunOpening& open) { return run_json(open); }, [](const SigninTakeOpening& open) { return json{{"session", open.session}}; },
                               [](const SigninForgetOpening& open) { return json{{"session", open.session}, {"sha256", open.sha256}}; }},
                    opening);
}

}  // namespace

std::string_view op_of(const Opening& opening) {
  return std::visit(Overloaded{[](const ExecOpening&) { return "exec"; }, [](const AttachOpening&) { return "exec"; }, [](const TcpOpening&) { return "tcp"; },
                               [](const FileReadOpening&) { return "file.read"; }, [](const FileWriteOpening&) { return "file.write"; },
                               [](const DirListOpening&) { return "dir.list"; }, [](const DirWatchOpening&) { return "dir.watch"; },
                               [](const LogFollowOpening&) { return "log.follow"; },
                               [](const SigninRunOpening&) { return "signin.run"; }, [](const SigninTakeOpening&) { return "signin.take"; },
                               [](const SigninForgetOpening&) { return "signin.forget"; }},
                    opening);
}

std::string encode(const Opening& opening) {
  json out = body_of(opening);
  out["v"] = version;
  out["op"] = op_of(opening);
  return dump_json(out);
}

Result<Opening> decode_opening(std::string_view json_text) {
  TRY(object, parse_json(json_text, opening_limits));
  if (!object.is_object()) return Error(Errc::invalid, "a stream's opening must be a JSON object");
  TRY(v, read_integer(object, "v"));
  if (v != version) return Error(Errc::unsupported, "streams of version " + std::to_string(v));
  TRY(name, read_string(object, "op", 64));
  for (const auto& op : ops)
    if (op.name == name) return op.parse(object);
  return Error(Errc::unsupported, "this agent does not know the stream '" + name + "'");
}

std::string encode_answer(const Result<std::string>& facts_json) {
  json out = {{"v", version}, {"ok", facts_json.has_value()}};
  if (facts_json) {
    if (const auto facts = parse_json(*facts_json)) out.update(*facts);
  } else {
    out["problem"] = {{"code", to_text(facts_json.error().code())}, {"detail", facts_json.error().message().substr(0, 4096)}};
  }
  return dump_json(out);
}

Result<std::string> decode_answer(std::string_view json_text) {
  TRY(object, parse_json(json_text, {.max_bytes = max_answer_bytes, .max_depth = 8, .max_values = 1024}));
  if (!object.is_object()) return Error(Errc::protocol, "the guest's answer is no object");
  TRY(ok, read_bool(object, "ok"));
  if (ok) {
    object.erase("v");
    object.erase("ok");
    return dump_json(object);
  }
  const auto problem = object.find("problem");
  if (problem == object.end() || !problem->is_object()) return Error(Errc::protocol, "the guest refuses without a problem");
  TRY(code, read_string(*problem, "code", 64));
  TRY(detail, read_string(*problem, "detail", 8192));
  return Error(parse_errc(code).value_or(Errc::internal), detail);
}

Result<std::string> log_facts(std::string_view facts_json) {
  TRY(object, parse_json(facts_json, {.max_bytes = max_answer_bytes, .max_depth = 8, .max_values = 1024}));
  TRY(boot, read_string(object, "boot", 64));
  if (boot.find_first_not_of("0123456789abcdef-") != std::string::npos) return Error(Errc::protocol, "boot: not a boot id");
  return boot;
}

}  // namespace vigil::streams
