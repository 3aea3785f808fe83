#include "guest/health/kernel_log.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

namespace vigil::guest::health {
namespace {

constexpr std::uint32_t from_kernel = 0, error_level = 3;
constexpr int records_per_look = 1024;
constexpr std::size_t max_message_text = 256;

bool take_number(std::string_view& text, std::uint64_t& number, char after) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end == text.data() + text.size() || *end != after) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
  return true;
}

}  // namespace

std::optional<KernelRecord> parse_kernel_record(std::string_view record) {
  std::uint64_t priority = 0, number = 0, at_us = 0;
  if (!take_number(record, priority, ',') || !take_number(record, number, ',') || !take_number(record, at_us, ',')) return std::nullopt;
  const std::size_t semicolon = record.find(';');   // further fields may come
  if (semicolon == std::string_view::npos) return std::nullopt;
  record.remove_prefix(semicolon + 1);
  const std::string_view text = record.substr(0, record.find('\n'));
  return KernelRecord{static_cast<std::uint32_t>(priority >> 3), static_cast<std::uint32_t>(priority & 7), at_us,
                      std::string(text.substr(0, max_message_text))};
}

KernelLog::KernelLog() : file_(open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC)) {
  if (file_) lseek(file_.get(), 0, SEEK_END);
}

KernelLog::News KernelLog::look() {
  News news;
  char block[8192];
  for (int record = 0; file_ && record < records_per_look; ++record) {
    const ssize_t length = read(file_.get(), block, sizeof block);
    if (length < 0 && errno == EPIPE) {   // overwritten before we came; the next read goes on behind the gap
      ++news.lost;
      continue;
    }
    if (length < 0 && errno == EINTR) continue;
    if (length <= 0) break;
    auto parsed = parse_kernel_record(std::string_view(block, static_cast<std::size_t>(length)));
    if (!parsed || parsed->facility != from_kernel || parsed->level > error_level) continue;
    if (news.messages.size() < max_messages)
      news.messages.push_back({parsed->at_us, parsed->level, std::move(parsed->text)});
    else
      ++news.lost;
  }
  return news;
}

}  // namespace vigil::guest::health
