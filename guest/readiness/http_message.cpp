#include "guest/readiness/http_message.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstddef>

namespace vigil::guest::readiness {
namespace {

constexpr std::string_view version_prefix = "HTTP/1.";

std::string in_lower_case(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char letter) { return static_cast<char>(std::tolower(static_cast<unsigned char>(letter))); });
  return lower;
}

bool is_chunked(const HttpReply& reply) {
  return in_lower_case(header_value(reply, "transfer-encoding").value_or("")).find("chunked") != std::string::npos;
}

}  // namespace

HttpProgress read_http_head(std::string_view bytes, HttpReply& reply) {
  const std::string_view start = bytes.substr(0, version_prefix.size());
  if (start != version_prefix.substr(0, start.size())) return HttpProgress::malformed;
  const std::size_t end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) return HttpProgress::incomplete;
  constexpr std::size_t status_at = 9, status_digits = 3;   // "HTTP/1.1 200"
  if (end < status_at + status_digits || bytes[status_at - 1] != ' ') return HttpProgress::malformed;
  const char* const digits = bytes.data() + status_at;
  const auto [stop, error] = std::from_chars(digits, digits + status_digits, reply.status);
  if (error != std::errc{} || stop != digits + status_digits) return HttpProgress::malformed;
  reply.headers = bytes.substr(0, end + 2);
  reply.raw_body = bytes.substr(end + 4);
  return HttpProgress::head_complete;
}

std::optional<std::string> header_value(const HttpReply& reply, std::string_view lower_case_name) {
  const std::string key = "\r\n" + std::string(lower_case_name) + ":";
  const std::size_t at = in_lower_case(reply.headers).find(key);
  if (at == std::string::npos) return std::nullopt;
  std::string_view value = reply.headers.substr(at + key.size());
  value = value.substr(0, value.find("\r\n"));
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
  return std::string(value);
}

std::string decode_body(const HttpReply& reply) {
  if (!is_chunked(reply)) return std::string(reply.raw_body);
  std::string body;
  std::string_view rest = reply.raw_body;
  while (!rest.empty()) {
    std::size_t length = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), length, 16);
    const std::size_t line = rest.find("\r\n");
    if (error != std::errc{} || line == std::string_view::npos || length == 0) break;
    rest.remove_prefix(line + 2);
    const std::size_t here = std::min(length, rest.size());
    body.append(rest.substr(0, here));
    rest.remove_prefix(std::min(here + 2, rest.size()));
  }
  return body;
}

std::string http_request(const std::string& path, const std::string& address, std::uint16_t port, const std::string& headers) {
  const bool ipv6 = address.find(':') != std::string::npos;
  const std::string host = (ipv6 ? "[" + address + "]" : address) + ":" + std::to_string(port);
  return "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: vigil-probe\r\nAccept: */*\r\n" + headers + "\r\n";
}

}  // namespace vigil::guest::readiness
