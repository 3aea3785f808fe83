// Tells systemd about ourselves, as a service of Type=notify.
//
// Source: sd_notify(3).
#pragma once

#include <string>

namespace vigil::guest::systemd {

/// "READY=1", "STATUS=...". Nothing happens outside of such a service. The variable is gone afterwards, so that no child of ours speaks for us.
void notify_service(const std::string& state);

}  // namespace vigil::guest::systemd
