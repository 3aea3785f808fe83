// A program that runs in the guest, told as server-sent events while it runs.
//
// Shape:  stdout and stderr {text, or data_b64 where it is no UTF-8}; the last event is exit {code}, {signal, core} or {unknown}, or error {code, detail}.
//         `input` are chunks for the guest (its standard input and the end of it), written while the output is read. The program goes on when the client leaves.
#pragma once

#include "host/api/context.hpp"

#include <string>

namespace vigil::api {

/// Starts what `opening` says; answers with its events, or with why it could not be started.
void tell_program(const Context& context, const InstanceId& id, std::string opening, std::string input, const Reply& reply);

}  // namespace vigil::api
