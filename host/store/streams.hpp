// Which reports of a boot are stored already; pure, without SQLite. Private to this folder.
//
// Shape:  everything up to `last` is known but for `gaps`; partials are the console digests that no full report has replaced yet.
// Bounds: 64 gaps (the oldest is forgotten then: a report that would have filled it counts as duplicate), 1024 partials.
#pragma once

#include "shared/base/ids.hpp"
#include "shared/base/result.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace vigil::store {

/// Closed ranges of numbers, apart from each other.
class Gaps {
public:
  bool holds(Seq seq) const;
  void add(Seq first, Seq last);
  void remove(Seq first, Seq last);
  std::uint64_t count() const;
  bool empty() const { return ranges_.empty(); }
  const std::map<Seq, Seq>& ranges() const { return ranges_; }   // first -> last

  /// "5-7 9-9"
  std::string to_text() const;
  static Result<Gaps> parse(std::string_view text);

private:
  std::map<Seq, Seq> ranges_;   // first -> last
};

struct StreamKey {
  std::uint64_t instance = 0;   // row
  std::string boot8;
  RunNumber run;
  Epoch epoch = 0;
  friend auto operator<=>(const StreamKey&, const StreamKey&) = default;
};

/// The first 8 digits: all that a console record carries.
std::string boot8(const BootId& boot);

enum class Offer { fresh, known, too_many };

struct Stream {
  Seq last = 0;
  Gaps gaps;
  std::map<Seq, std::uint64_t> partials;   // report number -> number of its event

  bool knows(Seq seq) const { return seq <= last && !gaps.holds(seq); }

  /// A full report. When it is fresh, the mark moves on; `replaced` is then the event of its partial, or 0.
  Offer take_full(Seq seq, std::uint64_t& replaced);
  /// What take_partial() would say.
  Offer offer_partial(Seq seq) const;
  Offer take_partial(Seq seq, std::uint64_t event);
};

}  // namespace vigil::store
