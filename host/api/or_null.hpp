// What is not known is null in the API's JSON, and its key is there. Sources include it together with nlohmann/json.hpp.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <optional>

namespace vigil::api {

template <class T, class Json = nlohmann::json>
Json or_null(const std::optional<T>& value) {
    return value ? Json(*value) : Json(nullptr);
}

}  // namespace vigil::api
