// A program that runs in the guest, told as server-sent events while it runs.
//
// Shape:  stdout and stderr {text, or data_b64 where it is no UTF-8}; the last event is exit {code}, {signal, core} or {unknown}, or error {code, detail}.
//         `input` are chunks for the guest (its standard input and the end of it), written while the output is read. The program goes on when the client leaves.
#pragma once

#include "host/http/event_source.hpp"
#include "host/streams/guest_stream.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <memory>
#include <string>

namespace vigil::api {

std::unique_ptr<http::EventSource> program_events(boost::asio::any_io_executor executor, streams::GuestStream stream,
                                                  std::string input = {});

}  // namespace vigil::api
