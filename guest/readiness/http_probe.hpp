// {"http":{"port":N,"path":P,"status":S,"body":T}}: the service listens, and one request is answered with the status, the text in its body.
//
// The first request is sent when the service listens, not before; one that is answered otherwise is repeated after 10 ms, doubling to 1 s. An answer is read
// to at most 64 KiB. No answer in time is service.not_answering, bytes that are not HTTP service.wrong_protocol; another status stays "not yet".
#pragma once

#include "guest/readiness/own_listener.hpp"
#include "shared/base/unique_fd.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace vigil::guest::readiness {

class HttpProbe final : public Probe {
public:
  HttpProbe(const service_spec::HttpProbe& spec, ProbeTools& tools, ProbeEvents events);

  void begin(const process::ProcessGroup& group) override { listener_.begin(group); }
  std::optional<protocol::Cause> finding() const override { return finding_ ? finding_ : listener_.finding(); }
  std::string seen() const override { return seen_; }

private:
  void connect();
  void on_ready(std::uint32_t events);
  bool send_request();
  void read_reply();
  void judge(bool ended);
  void retry(std::string seen, std::optional<protocol::Cause> finding);

  service_spec::HttpProbe spec_;
  ProbeTools& tools_;
  ProbeEvents events_;
  OwnListener listener_;
  UniqueFd socket_;
  std::string unsent_, reply_, seen_;
  std::optional<protocol::Cause> finding_;
  std::chrono::milliseconds delay_{10};
  LoopToken io_, overtime_, retry_;
};

}  // namespace vigil::guest::readiness
