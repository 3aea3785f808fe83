#include "shared/json/builder.hpp"

namespace vigil::json_detail {

namespace {

/// nlohmann's text without its "[json.exception.parse_error.101] " in front.
std::string reason(const nlohmann::detail::exception& problem) {
  const std::string_view text = problem.what();
  const auto end = text.find("] ");
  return std::string(end == text.npos ? text : text.substr(end + 2));
}

}  // namespace

bool Builder::key(json::string_t& name) {
  if (open_.back()->contains(name)) return refuse(Errc::invalid, "the key '" + to_valid_utf8(name, 64) + "' occurs twice");
  key_ = std::move(name);
  return true;
}

bool Builder::parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& problem) {
  return refuse(Errc::invalid, to_valid_utf8(reason(problem), 256));
}

bool Builder::open(json container) {
  if (open_.size() >= limits_.max_depth) return refuse(Errc::limit, "nested deeper than " + std::to_string(limits_.max_depth) + " levels");
  json* const placed = place(std::move(container));
  if (placed == nullptr) return false;
  open_.push_back(placed);
  return true;
}

/// The address stays good while the container is open: only the innermost open container grows.
json* Builder::place(json value) {
  if (++values_ > limits_.max_values) {
    refuse(Errc::limit, "more than " + std::to_string(limits_.max_values) + " values");
    return nullptr;
  }
  if (open_.empty()) {
    root_ = std::move(value);
    return &root_;
  }
  json& container = *open_.back();
  if (container.is_array()) {
    container.push_back(std::move(value));
    return &container.back();
  }
  return &(container[key_] = std::move(value));
}

}  // namespace vigil::json_detail
