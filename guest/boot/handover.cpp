#include "guest/boot/handover.hpp"

#include "guest/log/log.hpp"
#include "guest/process/small_file.hpp"
#include "shared/base/encoding.hpp"
#include "shared/base/unique_fd.hpp"
#include "shared/protocol/codec.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <string_view>

namespace vigil::guest::boot {
namespace {

constexpr std::string_view first_line = "vigil-handover 1";
constexpr std::size_t max_handover_bytes = 64 << 20;   // 32 crash reports with full tails are 6 MiB

Result<std::int64_t> parse_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return Error(Errc::invalid, "handover: not a number: " + std::string(text));
  return number;
}

Result<void> take_message(Handover& handover, std::string_view json) {
  TRY(message, protocol::decode(json));
  if (auto* welcome = std::get_if<protocol::Welcome>(&message.content)) handover.welcome = std::move(*welcome);
  else if (auto* report = std::get_if<protocol::Report>(&message.content)) handover.outbox.reports.push_back(std::move(*report));
  else return Error(Errc::invalid, "handover: a message of another kind");
  return {};
}

Result<void> take_line(Handover& handover, std::string_view key, std::string_view value) {
  if (key == "message") return take_message(handover, value);
  if (key == "unread" || key == "unsent") {
    TRY(bytes, from_base64(value));
    (key == "unread" ? handover.link_unread : handover.link_unsent) = std::move(bytes);
    return {};
  }
  TRY(number, parse_number(value));
  if (key == "next_seq") handover.outbox.next_seq = static_cast<Seq>(number);
  else if (key == "last_sent") handover.outbox.last_sent = static_cast<Seq>(number);
  else if (key == "highest_sent") handover.outbox.highest_sent = static_cast<Seq>(number);
  else if (key == "life") handover.life = static_cast<std::uint32_t>(number);
  else if (key == "link_fd") handover.link_fd = static_cast<int>(number);
  else if (key == "link_welcomed") handover.link_welcomed = number != 0;
  else return Error(Errc::invalid, "handover: unknown line " + std::string(key));
  return {};
}

}  // namespace

std::string encode_handover(const Handover& handover, const BootId& boot) {
  std::string text(first_line);
  const auto line = [&text](std::string_view key, std::string_view value) { text.append("\n").append(key).append(" ").append(value); };
  line("life", std::to_string(handover.life));
  line("next_seq", std::to_string(handover.outbox.next_seq));
  line("last_sent", std::to_string(handover.outbox.last_sent));
  line("highest_sent", std::to_string(handover.outbox.highest_sent));
  line("link_fd", std::to_string(handover.link_fd));
  line("link_welcomed", handover.link_welcomed ? "1" : "0");
  line("unread", to_base64(handover.link_unread));
  line("unsent", to_base64(handover.link_unsent));
  if (handover.welcome) line("message", protocol::encode(protocol::Message{boot, handover.welcome->epoch, *handover.welcome}));
  for (const auto& report : handover.outbox.reports) line("message", protocol::encode(protocol::Message{report.boot, report.epoch, report}));
  text += '\n';
  return text;
}

Result<Handover> decode_handover(const std::string& text) {
  std::string_view rest = text;
  if (!rest.ends_with('\n')) return Error(Errc::invalid, "handover: cut short");
  Handover handover;
  bool is_first = true;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(line.size() + 1);
    if (std::exchange(is_first, false)) {
      if (line != first_line) return Error(Errc::invalid, "handover: another format");
      continue;
    }
    const std::size_t blank = line.find(' ');
    if (blank == std::string_view::npos) return Error(Errc::invalid, "handover: a line without a value");
    TRY_VOID(take_line(handover, line.substr(0, blank), line.substr(blank + 1)));
  }
  return handover;
}

namespace {

Result<void> write_whole(int file, std::string_view rest) {
  while (!rest.empty()) {
    const ssize_t count = ::write(file, rest.data(), rest.size());
    if (count < 0) return Error::from_errno("handover: write", errno);
    rest.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

Result<Handover> read_handover(const std::string& path) {
  const auto text = process::read_small_file(path, max_handover_bytes);
  if (!text) return Error(Errc::not_found, "there is no handover at " + path);
  return decode_handover(*text);
}

}  // namespace

Result<void> write_handover(const Handover& handover, const BootId& boot, const std::string& path) {
  const std::string beside = path + ".new";
  UniqueFd file(::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file) return Error::from_errno("handover: open " + beside, errno);
  TRY_VOID(write_whole(file.get(), encode_handover(handover, boot)));
  if (::rename(beside.c_str(), path.c_str()) != 0) return Error::from_errno("handover: rename " + beside, errno);
  return {};
}

Result<Handover> take_handover(const std::string& path) {
  auto left = read_handover(path);
  ::unlink(path.c_str());
  return left;
}

Result<Handover> follow_handover(const BootId& boot, const std::string& path) {
  TRY(left, read_handover(path));
  const auto next = after_sudden_end(left.life, left.outbox.next_seq, left.welcome);
  if (const auto written = write_handover(next, boot, path); !written) log::error("handover.not_written", {{"err", written.error().message()}});
  return left;
}

Handover after_sudden_end(std::uint32_t life, Seq next, std::optional<protocol::Welcome> welcome) {
  Handover left;
  left.life = life + 1;
  left.outbox = numbers_after(next);
  left.welcome = std::move(welcome);
  return left;
}

namespace {

constexpr Seq far_above = Seq{1} << 40, of_one_life = Seq{1} << 24;

}  // namespace

report::OutboxState unknown_numbers() { return {far_above, 0, far_above - 1, {}}; }

report::OutboxState numbers_after(Seq next) {
  const Seq lives = next < far_above ? 0 : (next - far_above) / of_one_life + 1;
  const Seq first = far_above + lives * of_one_life;
  return {first, 0, first - 1, {}};
}

bool follows_a_sudden_end(Seq next) { return next >= far_above && (next - far_above) % of_one_life == 0; }

}  // namespace vigil::guest::boot
