// vigil session: sign a user in to a provider's CLI, and watch it.
#include "host/cli/commands.hpp"
#include "host/cli/view.hpp"
#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <utility>

namespace vigil::cli {

using nlohmann::json;

namespace {

struct SessionOptions {
  std::string provider, user, owner, cli_vm, cli_user, cli_image, browser_vm, guest_user, image, vm;
  std::uint32_t deadline_s = 0;
  bool no_wait = false;
};

std::string session_path(const std::string& id) { return "/v1/sessions/" + segment(id); }

Result<json> session_order(const SessionOptions& options) {
  json order = {{"provider", options.provider}, {"user", options.user}};
  const std::pair<const char*, const std::string*> members[] = {{"owner", &options.owner},           {"cli_vm", &options.cli_vm},
                                                                {"cli_user", &options.cli_user},     {"browser_vm", &options.browser_vm},
                                                                {"guest_user", &options.guest_user}, {"image", &options.image},
                                                                {"cli_image", &options.cli_image}};
  for (const auto& [key, value] : members)
    if (!value->empty()) order[key] = *value;
  if (options.deadline_s != 0) order["deadline_s"] = options.deadline_s;
  if (options.vm.empty()) return order;
  auto vm = parse_json(options.vm);
  if (!vm) return vm.error().with_context("--vm '" + options.vm + "' is not JSON");
  order["vm"] = std::move(*vm);
  return order;
}

std::string outcome_line(const json& session) {
  const auto state = text(session, "state");
  const auto cause = cause_cell(session);
  if (state != "completed") return state + (cause.empty() ? "" : ": " + safe(cause));
  const auto& stored = session.at("stored");
  std::string line = "completed: " + text(session, "provider") + " of " + safe(text(session, "user")) + " is in the vault (version " +
                     text(stored, "version") + ", " + text(stored, "bytes") + " bytes, sha256 " + text(stored, "sha256").substr(0, 12) +
                     ")";
  const auto delivered = session.find("delivered");
  if (delivered == session.end() || delivered->is_null()) return line;
  const auto problem = safe(text(*delivered, "problem"));
  return line +
         (problem.empty() ? ", and in " + text(*delivered, "vm") + " at " + safe(text(*delivered, "path")) : "; not delivered: " + problem);
}

std::string check_line(const json& session) {
  const auto checked = session.find("checked");
  if (checked == session.end() || checked->is_null()) return "";
  return text(*checked, "validity") + " (" + safe(text(*checked, "how")) + ")";
}

int end_of(const json& session) { return text(session, "state") == "completed" ? 0 : exit_failed; }

/// What a person wants to know of an event; empty: nothing.
std::string progress_of(const json& event, const std::string& last_state) {
  const auto& body = event.at("body");
  const auto type = text(event, "type"), state = text(event, "state");
  if (type == "vm_given") return "its VM is " + text(body, "vm");
  if (type == "refused") return "refused: " + safe(text(body, "reason"));
  if (type == "resumed") return "the daemon was restarted: it begins anew, with another address";
  if (type == "step" && body.contains("url")) return "sign in here, in the desktop of its VM:\n" + safe(text(body, "url"));
  return state == last_state ? "" : state;
}

/// An address of its VM's screen works once, and for a minute: it is asked for when it is shown.
void show_desktop(Cli& cli, const std::string& vm) {
  const auto invitation = cli.client().post(instance_path(vm) + "/desktop", json::object());
  if (invitation)
    std::printf("           its desktop, for one browser within %s s (again: vigil desktop %s):\n%s\n", text(*invitation, "valid_s").c_str(), vm.c_str(),
                safe(text(*invitation, "url")).c_str());
  else
    std::printf("           its desktop has no address: %s\n", safe(invitation.error().message()).c_str());
}

int watch_session(Cli& cli, const std::string& id) {
  auto client = cli.client();
  std::int64_t begun = 0;
  std::string state, vm;
  const auto followed = client.follow(session_path(id) + "/events", [&](const StreamedEvent& streamed) {
    const auto event = parse_json(streamed.data);
    if (!event || !event->contains("body")) return true;
    if (begun == 0) begun = number(*event, "at_unix_us");
    const auto line = progress_of(*event, state);
    state = text(*event, "state");
    if (!cli.json && !line.empty())
      std::printf("%9s  %s\n", milliseconds((number(*event, "at_unix_us") - begun) / 1000).c_str(), line.c_str());
    const bool is_given = text(*event, "type") == "vm_given";
    if (is_given) vm = safe(text(event->at("body"), "vm"));
    const bool is_wanted = is_given || (text(*event, "type") == "step" && event->at("body").contains("url"));
    if (!cli.json && is_wanted && !vm.empty()) show_desktop(cli, vm);
    return std::fflush(stdout) == 0;
  });
  const auto session = client.get(session_path(id));
  if (!session) return fail(session.error());
  if (!is_true(*session, "ended"))
    return fail(followed ? Error(Errc::unavailable, "the session goes on: vigil session show " + id) : followed.error());
  if (cli.json)
    print_json(*session);
  else
    std::printf("%s\n", outcome_line(*session).c_str());
  if (const auto checked = check_line(*session); !cli.json && !checked.empty()) std::printf("its own CLI says: %s\n", checked.c_str());
  return end_of(*session);
}

int run_session_start(Cli& cli, const SessionOptions& options) {
  const auto order = session_order(options);
  if (!order) return fail(order.error());
  const auto session = cli.client().post("/v1/sessions", *order);
  if (!session) return fail(session.error());
  if (options.no_wait && cli.json) print_json(*session);
  if (options.no_wait && !cli.json) std::printf("%s\n", text(*session, "id").c_str());
  if (options.no_wait) return 0;
  if (!cli.json) std::printf("session %s\n", text(*session, "id").c_str());
  return watch_session(cli, text(*session, "id"));
}

int run_session_list(Cli& cli) {
  const auto list = cli.client().get("/v1/sessions");
  if (!list) return fail(list.error());
  if (cli.json) {
    print_json(*list);
    return 0;
  }
  std::vector<std::vector<std::string>> rows = {{"SESSION", "USER", "PROVIDER", "STATE", "BEGUN", "BROWSER VM", "CAUSE"}};
  for (const auto& session : *list)
    rows.push_back({text(session, "id"), safe(text(session, "user")), text(session, "provider"), text(session, "state"),
                    ago(number(session, "created_unix_us")), text(session, "browser_vm"), safe(cause_cell(session))});
  print_table(rows);
  return 0;
}

/// What happened, in the words of who reported it; empty where the state says it.
std::string words_of(const json& event) {
  const auto& body = event.at("body");
  const auto type = text(event, "type");
  if (type == "vm_given" || type == "refused" || type == "resumed") return progress_of(event, text(event, "state"));
  if (type != "step") return "";
  const auto detail = safe(text(body, "detail"));
  return text(body, "step") + (detail.empty() ? "" : ": " + detail);
}

/// Each event a line: when, the state if it is another than before, the words.
int show_story(Cli& cli, const std::string& id, std::int64_t begun) {
  std::string state;
  const auto told = cli.client().follow(session_path(id) + "/events?follow=0", [&](const StreamedEvent& streamed) {
    const auto event = parse_json(streamed.data);
    if (!event || !event->contains("body")) return true;
    const auto words = words_of(*event), now = text(*event, "state");
    const bool is_another = std::exchange(state, now) != now;
    if (is_another || !words.empty())
      std::printf("%9s  %-20s %s\n", milliseconds((number(*event, "at_unix_us") - begun) / 1000).c_str(), is_another ? now.c_str() : "", words.c_str());
    return true;
  });
  return told || is_end_of_stream(told) ? 0 : fail(told.error());
}

int run_session_show(Cli& cli, const std::string& id) {
  const auto session = cli.client().get(session_path(id));
  if (!session) return fail(session.error());
  if (cli.json) {
    print_json(*session);
    return 0;
  }
  std::printf("%s  %s of %s\n%s\n", text(*session, "id").c_str(), text(*session, "provider").c_str(), safe(text(*session, "user")).c_str(),
              outcome_line(*session).c_str());
  for (const char* key : {"browser_vm", "cli_vm", "cli_version", "url", "last_refusal"})
    if (const auto value = safe(text(*session, key)); !value.empty()) std::printf("%-12s %s\n", key, value.c_str());
  if (const auto vm = safe(text(*session, "browser_vm")); !vm.empty() && !session->value("ended", true))
    std::printf("%-12s vigil desktop %s\n", "its screen", vm.c_str());
  if (const auto checked = check_line(*session); !checked.empty()) std::printf("%-12s %s\n", "checked", checked.c_str());
  return show_story(cli, id, number(*session, "created_unix_us"));
}

int run_session_cancel(Cli& cli, const std::string& id) {
  const auto session = cli.client().post(session_path(id) + "/cancel", json::object());
  if (!session) return fail(session.error());
  if (cli.json)
    print_json(*session);
  else
    std::printf("%s: cancelled\n", safe(id).c_str());
  return 0;
}

}  // namespace

void add_session(CLI::App& app, Cli& cli) {
  auto session = add_group(app, "session", "sign a user in to a coding CLI: start, ls, show, cancel");
  auto options = std::make_shared<SessionOptions>();
  session
      .below(cli, "start", "begin a sign-in, show how it goes on, and wait for its end",
             [&cli, options] { return run_session_start(cli, *options); })
      .text("--provider", options->provider, "claude_code, codex or gemini_cli", Need::required)
      .text("--user", options->user, "whose credential it will be: an id of your own service", Need::required)
      .text("--cli-vm", options->cli_vm,
            "the VM that is this user's from now on: his credentials are delivered there, now and whenever it starts (else the one that is his; one is made when he has none)")
      .text("--cli-user", options->cli_user, "whose home directory in the CLI VM (agent)")
      .text("--cli-image", options->cli_image, "image of the CLI VM that is made when the user has none (cli)")
      .text("--image", options->image, "image of the VM that the user signs in in (browser)")
      .text("--vm", options->vm, "JSON: more members of a create body for that VM, as POST /v1/instances takes them")
      .text("--browser-vm", options->browser_vm, "a VM that is there already, in place of one that is made and removed")
      .text("--guest-user", options->guest_user, "who runs the CLI and the browser in it (agent)")
      .text("--owner", options->owner, "for another owner (admins)")
      .number("--deadline", options->deadline_s, "seconds that the user has (900); longer while somebody watches")
      .flag("--no-wait", options->no_wait, "print its id and return");
  session.below(cli, "ls", "all sessions, the newest first", [&cli] { return run_session_list(cli); }).alias("list");
  auto shown = std::make_shared<std::string>();
  session
      .below(cli, "show", "one session: each step with its time and what was said of it, and how it ended",
             [&cli, shown] { return run_session_show(cli, *shown); })
      .text("id", *shown, "ss-...", Need::required);
  auto cancelled = std::make_shared<std::string>();
  session
      .below(cli, "cancel", "end one; its browser VM goes, the CLI VM stays",
             [&cli, cancelled] { return run_session_cancel(cli, *cancelled); })
      .text("id", *cancelled, "ss-...", Need::required);
}

}  // namespace vigil::cli
