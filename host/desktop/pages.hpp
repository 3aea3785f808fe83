// The desktop's page, as it is embedded, and what is said in its place when a link does not let its browser in.
#pragma once

#include "host/desktop/closing.hpp"
#include "host/http/message.hpp"

#include <string>
#include <string_view>

namespace vigil::desktop {

std::string_view page_html();
std::string_view page_css();
std::string_view page_js();

/// With the fields that keep the page to itself: no frames, no other origin's scripts, no referrer, nothing kept. `host`: of the request, judged already.
http::Response page_response(int status, std::string content_type, std::string body, const std::string& host);
/// A page of one sentence, for a link that was used or is too old.
http::Response refusal_page(const Closing& closing, const std::string& host);

}  // namespace vigil::desktop
