// How the name of a file is written into JSON.
#pragma once

#include "shared/base/encoding.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace vigil::guest::files {

/// Names are bytes; what is no UTF-8 travels as base64, under KEY_b64. Json: nlohmann::json, which the caller has included.
template <class Json>
void put_name(Json& entry, const std::string& key, const std::string& bytes) {
  if (to_valid_utf8(bytes, bytes.size()) == bytes)
    entry[key] = bytes;
  else
    entry[key + "_b64"] = to_base64(bytes);
}

}  // namespace vigil::guest::files
