// Which screens wait for a key: those of the provider's table that are positively recognised, each as often as it may be answered.
//
// Shape:  pure but for the count of what was answered. The caller answers a screen that has stood still: half-drawn ones look like others.
#pragma once

#include "guest/signin/cells.hpp"
#include "shared/signin/provider.hpp"

#include <cstdint>
#include <vector>

namespace vigil::guest::signin {

class ScreenAnswers {
public:
  explicit ScreenAnswers(const vigil::signin::ProviderRow& provider) : provider_(provider), given_(provider.answers.size(), 0) {}

  /// The answer to what stands there; nullptr: none.
  const vigil::signin::ScreenAnswer* match(const std::vector<Line>& lines) const;
  void count(const vigil::signin::ScreenAnswer& given);
  /// The CLI says that it is done.
  bool says_signed_in(const std::vector<Line>& lines) const;

private:
  const vigil::signin::ProviderRow& provider_;
  std::vector<std::uint8_t> given_;
};

}  // namespace vigil::guest::signin
