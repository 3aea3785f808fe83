#include "host/desktop/closing.hpp"

#include "shared/base/encoding.hpp"

namespace vigil::desktop {

Closing make_closing(CloseCode code, std::string_view words) { return {code, to_valid_utf8(words, max_reason_bytes)}; }

}  // namespace vigil::desktop
