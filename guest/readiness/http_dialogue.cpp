#include "guest/readiness/http_dialogue.hpp"

#include "guest/readiness/http_message.hpp"

namespace vigil::guest::readiness {

std::string HttpDialogue::begin() { return http_request(spec_.path, spec_.address, spec_.port); }

Turn HttpDialogue::take(std::string& unread, Input input) {
  HttpReply reply;
  const HttpProgress progress = read_http_head(unread, reply);
  if (progress == HttpProgress::incomplete && input == Input::goes_on) return {};
  if (unread.empty()) return closed_silently();
  if (progress != HttpProgress::head_complete) return wrong_protocol("http", start_of(unread));
  if (reply.status != spec_.status) return {Turn::Kind::failed, {}, "status " + std::to_string(reply.status)};
  if (spec_.body.empty() || decode_body(reply).find(spec_.body) != std::string::npos) return {Turn::Kind::passed};
  if (input == Input::goes_on) return {};
  return {Turn::Kind::failed, {}, "the body does not hold \"" + spec_.body + "\""};
}

}  // namespace vigil::guest::readiness
