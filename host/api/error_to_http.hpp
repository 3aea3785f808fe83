// The only place where an error becomes a status.
#pragma once

#include "host/http/message.hpp"
#include "shared/base/error.hpp"

namespace vigil::api {

/// A full disk is 507 with code host.disk_full; the text of an internal error goes to the log, not to the client.
http::Response to_response(const Error& error);

/// {"error": text}, as clients of the earlier service read it.
http::Response to_old_response(const Error& error);

}  // namespace vigil::api
