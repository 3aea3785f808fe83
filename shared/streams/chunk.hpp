// Bytes <-> chunks of a stream: u8 channel, u32 little-endian length, that many bytes. Incremental, bounded, free of I/O.
//
// Shape:  a chunk without bytes ends its channel; the end of `control` by the guest ends the stream: then the host closes (a vsock device may lose
//         what is on its way when the sender closes, and carries no half-close).
// Units:  max_chunk_bytes bounds one chunk's bytes. Errors: Errc::limit for a longer one, Errc::protocol for an unknown channel; both are beyond repair.
// Source: CONTRACTS "Streams".
#pragma once

#include "shared/base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vigil::streams {

/// `data` is stdin for a program, the bytes themselves for a file or a TCP connection.
enum class Channel : std::uint8_t { data = 0, out = 1, err = 2, control = 3 };

inline constexpr std::uint32_t max_chunk_bytes = 64 * 1024;
inline constexpr std::size_t chunk_header_bytes = 5;

struct Chunk {
  Channel channel = Channel::data;
  std::string bytes;
  bool is_end() const { return bytes.empty(); }
  friend bool operator==(const Chunk&, const Chunk&) = default;
};

/// As many chunks as the bytes need; none for no bytes.
void append_chunks(std::string& to, Channel channel, std::string_view bytes);
void append_end(std::string& to, Channel channel);

class ChunkReader {
public:
  void feed(std::string_view bytes);
  /// The next whole chunk; nullopt when more bytes are needed.
  Result<std::optional<Chunk>> next();
  std::size_t buffered() const { return buffer_.size() - consumed_; }
  /// What was fed and not given as a chunk.
  std::string_view rest() const { return std::string_view(buffer_).substr(consumed_); }

private:
  std::string buffer_;
  std::size_t consumed_ = 0;
};

}  // namespace vigil::streams
