// What feeds a stream of server-sent events: pulled by the connection as fast as its client takes, so that nothing piles up in between.
//
// Thread: the event thread only.
#pragma once

#include "shared/base/result.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vigil::http {

struct StreamEvent {
    std::optional<std::uint64_t> id;
    std::string type;
    std::string data;  // any text; each of its lines becomes a data: line
    std::shared_ptr<const std::string> shared{};  // to_sse() of it, made once for many streams: then the rest is not looked at
};

class EventSource {
  public:
    struct Batch {
        std::vector<StreamEvent> events;
        bool ended = false;  // nothing comes after these
    };
    virtual ~EventSource() = default;
    /// What there is now, in order, bounded by the source; empty and not ended: nothing yet, `wake` is called when that changes.
    /// An error ends the stream (it is logged; the client connects again with its last id).
    virtual Result<Batch> next() = 0;
    /// `wake` may be called any number of times, also from within next(); it is safe to call after the stream has ended.
    virtual void on_more(std::function<void()> wake) = 0;
};

/// The bytes of one event on the wire. Source: WHATWG HTML, "Server-sent events".
std::string to_sse(const StreamEvent& event);

}  // namespace vigil::http
