// Strong<Tag, Rep>: an id or a quantity that meets only its own kind. There is no way back but value().
#pragma once

#include <compare>
#include <functional>
#include <utility>

namespace vigil {

template <class Tag, class Rep>
class Strong {
public:
  Strong() = default;
  explicit constexpr Strong(Rep value) : value_(std::move(value)) {}
  constexpr const Rep& value() const { return value_; }
  friend constexpr auto operator<=>(const Strong&, const Strong&) = default;

private:
  Rep value_{};
};

}  // namespace vigil

template <class Tag, class Rep>
struct std::hash<vigil::Strong<Tag, Rep>> {
  std::size_t operator()(const vigil::Strong<Tag, Rep>& id) const noexcept { return std::hash<Rep>{}(id.value()); }
};
