// Secrets' values out of what goes into a box: in JSON also inside of strings and of base64 members (their keys end in _b64).
#pragma once

#include <string>
#include <vector>

namespace vigil::blackbox {

/// A JSON text with the values masked; text that is no JSON is masked as text.
std::string masked_json(const std::string& json, const std::vector<std::string>& values);

}  // namespace vigil::blackbox
