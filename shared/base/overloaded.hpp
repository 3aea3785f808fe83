// Overloaded{lambda...}: a visitor of std::variant with one arm an alternative and no catch-all, so that a new alternative does not build
// until every visitor has decided.
#pragma once

namespace vigil {

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

}  // namespace vigil
