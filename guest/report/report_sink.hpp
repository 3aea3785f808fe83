// Where the agent's features put what they have to say; the outbox implements it. It numbers, keeps and sends; the caller forgets.
#pragma once

#include "shared/protocol/report.hpp"

namespace vigil::guest {

class ReportSink {
public:
  virtual ~ReportSink() = default;
  /// Never blocks and never fails; under pressure the outbox collapses or drops, and says so in a report of its own.
  virtual Seq submit(protocol::ReportBody body) = 0;
};

}  // namespace vigil::guest
