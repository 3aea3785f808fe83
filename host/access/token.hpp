// A bearer token: "vgl_" ID "_" 64 hex digits. The id names it, the 256 random bits are it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace vigil::access {

struct NewToken {
    std::string id;
    std::string text;                             // for its holder, once
    std::string sha256;                           // of the text, in hex: what is kept
};

NewToken make_token();

/// The id of something that has a token's form; nullopt: it has not.
std::optional<std::string> id_of_token(std::string_view text);

/// Whether the text hashes to that; takes as long whatever differs.
bool fits(std::string_view text, std::string_view sha256);

}  // namespace vigil::access
