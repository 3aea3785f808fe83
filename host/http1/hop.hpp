// Which fields end at this hop.
//
// Source: RFC 9110 7.6.1, 7.8.
#pragma once

#include "host/http1/head.hpp"

namespace vigil::http1 {

/// Takes out what Connection names and every field of one hop only. Transfer-Encoding and Trailer stay: the body passes as it is framed.
/// Errc::invalid when Connection names a field that frames the message or says who is asked (Host, Content-Length, Transfer-Encoding).
Result<void> remove_hop_fields(Fields& fields);

/// The protocol that the message asks to change to, or agrees to; nullopt: none, or Connection does not say `upgrade`. Look before remove_hop_fields.
std::optional<std::string> upgrade_of(const Fields& fields);

}  // namespace vigil::http1
