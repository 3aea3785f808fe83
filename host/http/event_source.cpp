#include "host/http/event_source.hpp"

#include <algorithm>
#include <string_view>

namespace vigil::http {

std::string to_sse(const StreamEvent& event) {
    std::string out;
    if (event.id) out += "id: " + std::to_string(*event.id) + "\n";
    if (!event.type.empty()) out += "event: " + event.type + "\n";
    std::string_view rest = event.data;
    do {
        const auto line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(rest.size(), line.size() + 1));
        out.append("data: ").append(line).append("\n");
    } while (!rest.empty());
    return out + "\n";
}

}  // namespace vigil::http
