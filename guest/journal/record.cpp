#include "guest/journal/record.hpp"

#include "shared/base/encoding.hpp"
#include "shared/protocol/codec.hpp"

#include <cstdint>
#include <optional>
#include <utility>

namespace vigil::guest::journal {
namespace {

constexpr std::string_view magic = "VCJ1";
constexpr std::size_t head_bytes = 12;

void put_u32(std::string& out, std::uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(value >> shift & 0xff);
}

std::uint32_t get_u32(std::string_view bytes) {
  std::uint32_t value = 0;
  for (int i = 3; i >= 0; --i) value = value << 8 | static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)]);
  return value;
}

/// The payload of the record that begins here; nullopt: there is none.
std::optional<std::string_view> payload_at(std::string_view bytes) {
  if (bytes.size() < head_bytes || !bytes.starts_with(magic)) return std::nullopt;
  const std::size_t length = get_u32(bytes.substr(4));
  if (length > protocol::max_message_bytes || length > bytes.size() - head_bytes) return std::nullopt;
  const auto payload = bytes.substr(head_bytes, length);
  if (crc32c(payload) != get_u32(bytes.substr(8))) return std::nullopt;
  return payload;
}

}  // namespace

std::string encode_record(const protocol::Report& crash) {
  const std::string payload = protocol::encode(protocol::Message{crash.boot, crash.epoch, crash});
  std::string record(magic);
  record.reserve(head_bytes + payload.size());
  put_u32(record, static_cast<std::uint32_t>(payload.size()));
  put_u32(record, crc32c(payload));
  return record += payload;
}

Contents read_journal(std::string_view bytes) {
  Contents contents;
  while (contents.crashes.size() + contents.refused < max_records) {
    const auto payload = payload_at(bytes.substr(contents.good));
    if (!payload) break;
    contents.good += head_bytes + payload->size();
    auto message = protocol::decode(*payload);
    auto* report = message ? std::get_if<protocol::Report>(&message->content) : nullptr;
    if (report && report->seq != 0 && std::holds_alternative<protocol::CrashReport>(report->body))
      contents.crashes.push_back(std::move(*report));
    else
      ++contents.refused;
  }
  contents.torn = bytes.size() - contents.good;
  return contents;
}

}  // namespace vigil::guest::journal
