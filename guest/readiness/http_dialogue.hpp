// {"http":{"port":N,"path":P,"status":S,"body":T}}: one request is answered with the status, the text in its body.
//
// Bytes that are not HTTP are service.wrong_protocol; another status, or a body without the text, stays "not yet".
#pragma once

#include "guest/readiness/dialogue.hpp"
#include "shared/service_spec/service_spec.hpp"

namespace vigil::guest::readiness {

class HttpDialogue final : public Dialogue {
public:
  explicit HttpDialogue(const service_spec::HttpProbe& spec) : Dialogue(std::int64_t{spec.port}), spec_(spec) {}

  std::string begin() override;
  Turn take(std::string& unread, Input input) override;

private:
  service_spec::HttpProbe spec_;
};

}  // namespace vigil::guest::readiness
