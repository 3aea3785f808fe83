// Server-sent events out of bytes, as they come. Source: HTML Living Standard, "Server-sent events" (comments, id, event, data; other fields ignored).
#pragma once

#include "host/cli/client.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace vigil::cli {

class EventParser {
public:
  std::vector<StreamedEvent> feed(std::string_view bytes);

private:
  void take_line(std::string_view line, std::vector<StreamedEvent>& events);
  std::string line_;
  StreamedEvent event_;
  bool has_data_ = false;
};

}  // namespace vigil::cli
