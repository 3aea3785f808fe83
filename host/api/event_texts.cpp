#include "host/api/event_texts.hpp"

#include "host/http/event_source.hpp"

namespace vigil::api {

std::shared_ptr<const std::string> EventTexts::of(const machine::EncodedEvent& event) {
  auto& place = ring_[event.seq % ring_.size()];
  if (place.seq == event.seq && place.text) return place.text;
  auto text = std::make_shared<const std::string>(http::to_sse({event.seq, event.type, machine::shown_event_json(event)}));
  if (event.seq > place.seq) place = {event.seq, text};   // who reads old ones does not push out the new
  return text;
}

}  // namespace vigil::api
