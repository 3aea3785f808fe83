#include "guest/console/console_port.hpp"

#include "shared/console/record.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace vigil::guest::console {
namespace {

constexpr std::size_t max_piece = 960;
constexpr std::string_view kernel_level = "<3>";

std::string_view without_newlines(std::string_view text) {
  while (text.starts_with('\n')) text.remove_prefix(1);
  while (text.ends_with('\n')) text.remove_suffix(1);
  return text;
}

}  // namespace

ConsolePort ConsolePort::open_in_vm() {
  if (UniqueFd kmsg(::open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NOCTTY)); kmsg) return ConsolePort(std::move(kmsg), Route::kernel_log);
  return ConsolePort(UniqueFd(::open("/dev/console", O_WRONLY | O_CLOEXEC | O_NOCTTY)), Route::plain);
}

ConsolePort ConsolePort::open_plain(const std::string& path) {
  return ConsolePort(UniqueFd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_APPEND, 0644)), Route::plain);
}

void ConsolePort::print_digest(const BootId& boot, Seq seq, std::string_view digest) {
  if (!fd_) return;
  for (const std::string& record : vigil::console::make_records(boot, seq, digest))
    write_piece(route_ == Route::kernel_log ? without_newlines(record) : std::string_view(record));
}

void ConsolePort::print_text(std::string_view lines) {
  if (!fd_) return;
  while (!lines.empty()) write_piece(next_piece(lines, max_piece));
}

void ConsolePort::write_piece(std::string_view piece) {
  std::string bytes;
  if (route_ == Route::kernel_log) bytes = kernel_level;
  bytes += piece;
  // The kernel keeps a record that does not end its line to itself until the next one comes: it may be continued.
  if (route_ == Route::kernel_log && !bytes.ends_with('\n')) bytes += '\n';
  if (::write(fd_.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) ++lost_;
}

std::string_view next_piece(std::string_view& lines, std::size_t max_bytes) {
  std::size_t cut = lines.size();
  if (cut > max_bytes) {
    const std::size_t line_end = lines.rfind('\n', max_bytes - 1);
    cut = line_end == std::string_view::npos ? max_bytes : line_end + 1;
  }
  const std::string_view piece = lines.substr(0, cut);
  lines.remove_prefix(cut);
  return piece;
}

}  // namespace vigil::guest::console
