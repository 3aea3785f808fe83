#include "guest/signin/sign_ins.hpp"

#include "guest/log/log.hpp"
#include "guest/signin/run_stream.hpp"
#include "shared/base/overloaded.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

namespace vigil::guest::signin {

using vigil::streams::Channel;

SignIns::~SignIns() {
  for (auto& each : held_) wipe(each.credential.bytes);
}

streams::Stream::Opener SignIns::opener(streams::Stream::Opener others) {
  return [this, others = std::move(others)](streams::Stream& stream,
                                            const vigil::streams::Opening& opening) -> std::unique_ptr<streams::Operation> {
    if (const auto* const wanted = std::get_if<vigil::streams::SigninRunOpening>(&opening)) return run(stream, *wanted);
    if (const auto* const wanted = std::get_if<vigil::streams::SigninTakeOpening>(&opening)) return take(stream, *wanted), nullptr;
    if (const auto* const wanted = std::get_if<vigil::streams::SigninForgetOpening>(&opening)) return forget(stream, *wanted), nullptr;
    return others(stream, opening);
  };
}

SignIns::Running* SignIns::running(const std::string& session) {
  const auto found = std::find_if(running_.begin(), running_.end(), [&](const Running& each) { return each.session == session; });
  return found == running_.end() ? nullptr : &*found;
}

SignIns::Held* SignIns::held(const std::string& session) {
  const auto found = std::find_if(held_.begin(), held_.end(), [&](const Held& each) { return each.session == session; });
  return found == held_.end() ? nullptr : &*found;
}

Result<void> SignIns::check_room(const vigil::streams::SigninRunOpening& opening, const vigil::signin::ProviderRow& provider) const {
  const auto is_session = [&](const auto& each) { return each.session == opening.session; };
  if (std::any_of(running_.begin(), running_.end(), is_session) || std::any_of(held_.begin(), held_.end(), is_session))
    return Error(Errc::conflict, "the sign-in " + opening.session + " is here already");
  if (running_.size() + held_.size() >= max_sign_ins)
    return Error(Errc::limit, std::to_string(max_sign_ins) + " sign-ins are in this VM; end or forget one");
  const auto is_same = [&](const Running& each) {
    return each.sign_in && each.sign_in->user() == opening.user && &each.sign_in->provider() == &provider;
  };
  if (std::any_of(running_.begin(), running_.end(), is_same))
    return Error(Errc::conflict, opening.user + " is being signed in to " + std::string(provider.title) + " already");
  return {};
}

std::unique_ptr<streams::Operation> SignIns::run(streams::Stream& stream, const vigil::streams::SigninRunOpening& opening) {
  const auto provider = parse_enum<vigil::signin::Provider>(opening.provider);
  if (!provider)
    return stream.refuse(Error(Errc::unsupported, "this agent does not know the provider '" + opening.provider + "'")), nullptr;
  const auto& row = vigil::signin::provider_row(*provider);
  if (const auto room = check_room(opening, row); !room) return stream.refuse(room.error()), nullptr;
  ::mkdir(host_.directory.c_str(), 0755);
  auto operation = std::make_unique<RunStream>(*this, stream, opening.session);
  running_.push_back({opening.session, nullptr, operation.get()});
  auto started = SignIn::start(host_, opening, row, events_of(opening.session));
  if (!started) {
    running_.remove_if([&](const Running& each) { return each.session == opening.session; });
    return stream.refuse(started.error()), nullptr;
  }
  Running& entry = *running(opening.session);
  entry.sign_in = std::move(*started);
  stream.accept("{\"session\":\"" + opening.session + "\",\"provider\":\"" + opening.provider +
                "\",\"pid\":" + std::to_string(entry.sign_in->pid()) + "}");
  return operation;
}

SignInEvents SignIns::events_of(const std::string& session) {
  const auto stream_of = [this, session] {
    Running* const entry = running(session);
    return entry == nullptr ? nullptr : entry->stream;
  };
  return {[stream_of](std::string_view bytes) {
            if (auto* const stream = stream_of()) stream->display(bytes);
          },
          [stream_of] {
            if (auto* const stream = stream_of()) stream->input_drained();
          },
          [this, session](std::optional<HeldCredential> held) { finished(session, std::move(held)); }, [this, session] { drop(session); }};
}

void SignIns::finished(const std::string& session, std::optional<HeldCredential> credential) {
  Running* const entry = running(session);
  RunStream* const stream = entry == nullptr ? nullptr : entry->stream;
  if (entry != nullptr) entry->is_over = true;
  if (!credential) {
    if (stream != nullptr)
      stream->finish(vigil::streams::Problem{Errc::unavailable, "the sign-in has ended without a credential; its report says why"});
    return;
  }
  const auto bytes = credential->facts.bytes;
  held_.push_back({session, std::move(*credential), {}});
  held_.back().expiry = host_.exec.loop.after(keep_held_, [this, session] {
    log::warning("signin.forgotten_untaken", {{"session", session}});
    lose(session);
  });
  if (stream != nullptr) stream->finish(vigil::streams::Done{bytes});
}

void SignIns::drop(const std::string& session) {
  running_.remove_if([&](const Running& each) { return each.session == session; });
}

/// The stream's end is the sign-in's, should it still run.
void SignIns::left(RunStream& stream, const std::string& session) {
  Running* const entry = running(session);
  if (entry == nullptr || entry->stream != &stream) return;
  entry->stream = nullptr;
  if (entry->sign_in) entry->sign_in->cancel("the host has closed its stream");
}

void SignIns::take(streams::Stream& stream, const vigil::streams::SigninTakeOpening& opening) {
  const Held* const entry = held(opening.session);
  const Running* const run = running(opening.session);
  if (entry == nullptr && run != nullptr && !run->is_over)
    return stream.refuse(Error(Errc::conflict, "the sign-in " + opening.session + " has no credential yet"));
  if (entry == nullptr) return stream.refuse(Error(Errc::not_found, "no sign-in " + opening.session + " in this VM holds a credential"));
  const auto& facts = entry->credential.facts;
  log::info("signin.taken", {{"session", opening.session}, {"bytes", facts.bytes}});
  stream.accept("{\"session\":\"" + opening.session + "\",\"schema\":\"" + facts.schema + "\",\"bytes\":" + std::to_string(facts.bytes) +
                ",\"sha256\":\"" + facts.sha256 + "\"}");
  stream.send(Channel::data, entry->credential.bytes);
  stream.end(Channel::data);
  stream.finish(vigil::streams::Done{facts.bytes});
}

void SignIns::forget(streams::Stream& stream, const vigil::streams::SigninForgetOpening& opening) {
  Held* const entry = held(opening.session);
  if (entry == nullptr) return stream.refuse(Error(Errc::not_found, "no sign-in " + opening.session + " in this VM holds a credential"));
  if (entry->credential.facts.sha256 != opening.sha256)
    return stream.refuse(Error(Errc::conflict, "the credential of " + opening.session + " is another one than was committed"));
  lose(opening.session);
  stream.accept();
  stream.finish();
}

/// The file too: a VM that a sign-in only borrowed keeps nothing of it. One that was written anew since is not ours.
void SignIns::lose(std::string session) {   // a copy: its caller's may be the timer's, which goes with what is lost
  auto& credential = held(session)->credential;
  const auto removed = remove_credential(credential.home, credential.path, credential.owner, credential.mark);
  log::info("signin.forgotten", {{"session", session}, {"file", removed ? std::string("removed") : removed.error().message()}});
  wipe(credential.bytes);
  held_.remove_if([&](const Held& each) { return each.session == session; });
}

}  // namespace vigil::guest::signin
