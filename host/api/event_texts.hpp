// The newest events as they go to subscribers, each written out once however many follow them.
//
// Shape:  a ring of the last ones asked for; of an older one the text is made for who asks. Thread: the event thread.
#pragma once

#include "host/machine/event_codec.hpp"

#include <array>
#include <memory>
#include <string>

namespace vigil::api {

class EventTexts {
public:
    /// The bytes of a server-sent event, without what is for one user alone.
  std::shared_ptr<const std::string> of(const machine::EncodedEvent& event);

private:
  struct Place {
    machine::EventSeq seq = 0;
    std::shared_ptr<const std::string> text;
  };
  std::array<Place, 512> ring_;   // place: the number modulo its size
};

}  // namespace vigil::api
