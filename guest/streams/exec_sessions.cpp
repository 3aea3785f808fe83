#include "guest/streams/exec_sessions.hpp"

#include <sys/random.h>

#include <algorithm>
#include <csignal>

namespace vigil::guest::streams {
namespace {

std::string new_id() {
  unsigned char random[6] = {};
  [[maybe_unused]] const auto got = ::getrandom(random, sizeof random, 0);
  constexpr char digits[] = "0123456789abcdef";
  std::string id = "ex-";
  for (const auto byte : random) {
    id += digits[byte >> 4];
    id += digits[byte & 15];
  }
  return id;
}

}  // namespace

Result<std::shared_ptr<ExecSession>> ExecSessions::start(const vigil::streams::ExecOpening& opening) {
  TRY_VOID(make_room());
  TRY(session, ExecSession::start(host_, new_id(), opening, [this](ExecSession& which) { ended(which); }));
  sessions_.push_back({session, {}});
  return session;
}

Result<std::shared_ptr<ExecSession>> ExecSessions::find(const std::string& id) {
  for (const auto& each : sessions_)
    if (each.session->id() == id) return each.session;
  return Error(Errc::not_found, "no exec " + id + " in this VM; an ended one is kept for 10 minutes");
}

Result<void> ExecSessions::make_room() {
  if (sessions_.size() < max_sessions) return {};
  const auto oldest = std::find_if(sessions_.begin(), sessions_.end(), [](const Kept& each) { return each.session->exit() && !each.session->is_attached(); });
  if (oldest == sessions_.end()) return Error(Errc::limit, std::to_string(max_sessions) + " programs run in this VM by exec; end some");
  sessions_.erase(oldest);
  return {};
}

ExecSessions::Kept* ExecSessions::kept(const ExecSession& session) {
  const auto found = std::find_if(sessions_.begin(), sessions_.end(), [&](const Kept& each) { return each.session.get() == &session; });
  return found == sessions_.end() ? nullptr : &*found;
}

void ExecSessions::unattended(ExecSession& session) {
  Kept* const entry = kept(session);
  if (!entry || session.is_attached() || session.goes_on_alone() || session.exit()) return;
  entry->expiry = host_.loop.after(periods_.keep_unattended, [this, &session] {
    if (!session.is_attached()) hang_up(session);
  });
}

void ExecSessions::ended(ExecSession& session) {
  Kept* const entry = kept(session);
  if (!entry) return;
  entry->expiry = host_.loop.after(periods_.keep_ended, [this, &session] {
    if (session.is_attached()) ended(session);   // somebody still reads its output
    else remove(session);
  });
}

void ExecSessions::hang_up(ExecSession& session) {
  session.signal(SIGHUP);
  session.signal(SIGCONT);
  if (Kept* const entry = kept(session)) entry->expiry = host_.loop.after(periods_.hang_up_grace, [&session] { session.signal(SIGKILL); });
}

std::vector<KeptExec> ExecSessions::keep() const {
  std::vector<KeptExec> kept;
  for (const auto& each : sessions_) kept.push_back(each.session->keep());
  return kept;
}

void ExecSessions::resume(const std::vector<KeptExec>& kept) {
  for (const auto& each : kept) {
    sessions_.push_back({ExecSession::resume(host_, each, [this](ExecSession& which) { ended(which); }), {}});
    ExecSession& session = *sessions_.back().session;
    if (session.exit()) ended(session);
    else unattended(session);   // until its stream comes
  }
}

void ExecSessions::hang_up_all() {
  for (auto& each : sessions_) {
    each.session->signal(SIGHUP);
    each.session->signal(SIGCONT);
    each.session->signal(SIGTERM);
  }
}

void ExecSessions::remove(const ExecSession& session) {
  sessions_.remove_if([&](const Kept& each) { return each.session.get() == &session; });
}

}  // namespace vigil::guest::streams
