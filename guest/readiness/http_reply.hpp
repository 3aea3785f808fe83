// As much of an HTTP/1 response as a readiness probe needs: the status and whether a text occurs in the body.
//
// Shape:  pure; asked again with more bytes each time something has arrived. The service is not trusted: the caller bounds the bytes.
// Source: RFC 9112 §4, §7.1.
#pragma once

#include <cstdint>
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

/// "GET / HTTP/1.1" with what a server needs to answer and close.
std::string http_request(const std::string& path, const std::string& address, std::uint16_t port);

}  // namespace vigil::guest::readiness
