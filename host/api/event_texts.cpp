#include "host/api/event_texts.hpp"

#include "host/http/event_source.hpp"

namespace vigil::api {

static constexpr std::size_t max_kept = 16 * 1024;   // a guest's report may be a MiB: the ring is no place for many of them

std::shared_ptr<const std::string> EventTexts::of(const machine::EncodedEvent& event) {
  auto& place = ring_[event.seq % ring_.size()];
  if (place.seq == event.seq && place.text) return place.text;
  auto text = std::make_shared<const std::string>(http::to_sse({event.seq, event.type, machine::shown_event_json(event)}));
  if (event.seq > place.seq && text->size() <= max_kept) place = {event.seq, text};   // who reads old ones does not push out the new
  return text;
}

}  // namespace vigil::api
