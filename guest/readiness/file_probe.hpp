// {"file":{"path":P}}: the path exists.
#pragma once

#include "guest/readiness/path_watch.hpp"
#include "guest/readiness/probe.hpp"
#include "guest/readiness/probe_factory.hpp"

namespace vigil::guest::readiness {

class FileProbe final : public Probe {
public:
  FileProbe(const service_spec::FileProbe& spec, ProbeTools& tools, ProbeEvents events);

  void begin(const process::ProcessGroup& group) override;

private:
  void look();

  std::string path_;
  ProbeEvents events_;
  PathWatch watch_;
};

}  // namespace vigil::guest::readiness
