// Bytes <-> frames: u32 little-endian length, then that many bytes. Incremental, bounded, free of I/O.
//
// Units:  max_frame_bytes bounds the payload. Errors: Errc::limit for a length over it (the stream is then beyond repair: close it).
// Source: CONTRACTS "Control link".
#pragma once

#include "shared/base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vigil::framing {

inline constexpr std::uint32_t max_frame_bytes = 1 << 20;

/// Header and payload in one string, ready to write. The payload must not be over the limit (checked: aborts, it is our own bug).
std::string make_frame(std::string_view payload);

class FrameReader {
public:
  explicit FrameReader(std::uint32_t max_bytes = max_frame_bytes) : max_bytes_(max_bytes) {}
  void feed(std::string_view bytes);
  /// The next whole payload; nullopt when more bytes are needed.
  Result<std::optional<std::string>> next();
  std::size_t buffered() const { return buffer_.size() - consumed_; }
  /// What was fed and not given as a frame, for whoever reads on in another way.
  std::string take_rest();

private:
  std::uint32_t max_bytes_;
  std::string buffer_;
  std::size_t consumed_ = 0;
};

}  // namespace vigil::framing
