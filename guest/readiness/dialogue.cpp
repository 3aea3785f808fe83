#include "guest/readiness/dialogue.hpp"

#include "shared/base/encoding.hpp"

namespace vigil::guest::readiness {

using protocol::CauseCode;
using protocol::make_cause;

Turn Dialogue::wrong_protocol(const std::string& expected, const std::string& got) const {
  return {Turn::Kind::failed,
          {},
          "not " + expected,
          make_cause(CauseCode::service_wrong_protocol, {{"port", port_}, {"expected", expected}, {"got", got}})};
}

Turn Dialogue::closed_silently() const {
  return {Turn::Kind::failed, {}, "connection closed without an answer", make_cause(CauseCode::service_not_answering, {{"port", port_}})};
}

std::string Dialogue::start_of(std::string_view bytes) { return escape_for_terminal(bytes.substr(0, 40), Lines::escape); }

}  // namespace vigil::guest::readiness
