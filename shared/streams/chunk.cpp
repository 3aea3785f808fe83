#include "shared/streams/chunk.hpp"

#include <algorithm>

namespace vigil::streams {

namespace {

void append_header(std::string& to, Channel channel, std::size_t length) {
  to += static_cast<char>(channel);
  for (std::size_t i = 0; i < 4; ++i) to += static_cast<char>((length >> (8 * i)) & 0xff);
}

}  // namespace

void append_chunks(std::string& to, Channel channel, std::string_view bytes) {
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, max_chunk_bytes);
    append_header(to, channel, part.size());
    to += part;
    bytes.remove_prefix(part.size());
  }
}

void append_end(std::string& to, Channel channel) { append_header(to, channel, 0); }

void ChunkReader::feed(std::string_view bytes) {
  if (consumed_ > 0 && consumed_ >= buffer_.size() / 2) {   // at most one move a byte
    buffer_.erase(0, consumed_);
    consumed_ = 0;
  }
  buffer_ += bytes;
}

Result<std::optional<Chunk>> ChunkReader::next() {
  const auto rest = std::string_view(buffer_).substr(consumed_);
  if (rest.empty()) return std::optional<Chunk>();
  const auto channel = static_cast<unsigned char>(rest[0]);
  if (channel > static_cast<unsigned char>(Channel::control)) return Error(Errc::protocol, "a chunk of channel " + std::to_string(channel));
  if (rest.size() < chunk_header_bytes) return std::optional<Chunk>();
  std::uint32_t length = 0;
  for (std::size_t i = 4; i > 0; --i) length = (length << 8) | static_cast<unsigned char>(rest[i]);
  if (length > max_chunk_bytes)
    return Error(Errc::limit, "a chunk of " + std::to_string(length) + " bytes; the limit is " + std::to_string(max_chunk_bytes));
  if (rest.size() - chunk_header_bytes < length) return std::optional<Chunk>();
  consumed_ += chunk_header_bytes + length;
  return std::optional<Chunk>(Chunk{static_cast<Channel>(channel), std::string(rest.substr(chunk_header_bytes, length))});
}

}  // namespace vigil::streams
