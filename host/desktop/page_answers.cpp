#include "host/desktop/pages.hpp"

namespace vigil::desktop {

namespace {

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '&')
      out += "&amp;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

}  // namespace

http::Response page_response(int status, std::string content_type, std::string body, const std::string& host) {
  http::Response response{status, std::move(content_type), std::move(body), {}};
  // data: and blob: are pictures that noVNC makes of what the screen sends; styles it sets one by one.
  response.headers = {
      {"Content-Security-Policy",
       "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self' ws://" +
           host + "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
      {"X-Content-Type-Options", "nosniff"},
      {"X-Frame-Options", "DENY"},
      {"Referrer-Policy", "no-referrer"},
      {"Cross-Origin-Opener-Policy", "same-origin"},
      {"Cross-Origin-Resource-Policy", "same-origin"},
      {"Cache-Control", "no-store"}};
  return response;
}

http::Response refusal_page(const Closing& closing, const std::string& host) {
  const std::string body =
      "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Desktop</title><link rel=\"stylesheet\" href=\"/page.css\">"
      "<main><section id=\"panel\"><h1>" +
      escaped(closing.reason) + "</h1><p>The command prints an address that lets one browser in, once.</p></section></main></html>\n";
  return page_response(403, "text/html; charset=utf-8", body, host);
}

}  // namespace vigil::desktop
