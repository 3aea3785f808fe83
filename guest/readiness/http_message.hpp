// As much of HTTP/1 as a readiness probe needs: a request, and of the response the status, a header, and whether a text occurs in the body.
//
// Shape:  pure; asked again with more bytes each time something has arrived. The service is not trusted: the caller bounds the bytes.
// Source: RFC 9112 §4, §7.1.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vigil::guest::readiness {

struct HttpReply {
  int status = 0;
  std::string_view headers;       // into the bytes that were given
  std::string_view raw_body;      // as sent, maybe chunked
};

enum class HttpProgress { incomplete, malformed, head_complete };

/// Reads status line and headers; on head_complete `reply` is filled.
HttpProgress read_http_head(std::string_view bytes, HttpReply& reply);

/// The body with its chunk frames taken off, as far as it has arrived.
std::string decode_body(const HttpReply& reply);

/// The first header of that name, without the blanks around it.
std::optional<std::string> header_value(const HttpReply& reply, std::string_view lower_case_name);

/// "GET / HTTP/1.1" with what a server needs to answer, and `headers`, each with its line end.
std::string http_request(const std::string& path, const std::string& address, std::uint16_t port, const std::string& headers = "Connection: close\r\n");

}  // namespace vigil::guest::readiness
