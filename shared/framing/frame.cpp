#include "shared/framing/frame.hpp"

#include <cstdlib>

namespace vigil::framing {

namespace {

constexpr std::size_t header_bytes = 4, kept_bytes = 256;

std::uint32_t read_length(std::string_view header) {
  std::uint32_t length = 0;
  for (std::size_t i = header_bytes; i-- > 0;) length = (length << 8) | static_cast<unsigned char>(header[i]);
  return length;
}

}  // namespace

std::string make_frame(std::string_view payload) {
  if (payload.size() > max_frame_bytes) std::abort();   // our own bug: every message's limits keep it below
  std::string frame;
  frame.reserve(header_bytes + payload.size());
  for (std::size_t i = 0; i < header_bytes; ++i) frame += static_cast<char>((payload.size() >> (8 * i)) & 0xff);
  frame += payload;
  return frame;
}

void FrameReader::feed(std::string_view bytes) {
  if (consumed_ > 0 && consumed_ >= buffer_.size() / 2) {   // at most one move a byte, over the life of the stream
    buffer_.erase(0, consumed_);
    consumed_ = 0;
  }
  buffer_ += bytes;
}

Result<std::optional<std::string>> FrameReader::next() {
  const auto rest = std::string_view(buffer_).substr(consumed_);
  if (rest.empty() &&
      buffer_.capacity() > kept_bytes) {   // thousands of streams wait for their next frame: what a large one took is given back
    std::string().swap(buffer_);
    consumed_ = 0;
    return std::optional<std::string>();
  }
  if (rest.size() < header_bytes) return std::optional<std::string>();
  const auto length = read_length(rest);
  if (length > max_bytes_)
    return Error(Errc::limit, "a frame of " + std::to_string(length) + " bytes; the limit is " + std::to_string(max_bytes_));
  if (rest.size() - header_bytes < length) return std::optional<std::string>();
  consumed_ += header_bytes + length;
  return std::optional<std::string>(rest.substr(header_bytes, length));
}

std::string FrameReader::take_rest() {
  auto rest = buffer_.substr(consumed_);
  buffer_.clear();
  consumed_ = 0;
  return rest;
}

}  // namespace vigil::framing
