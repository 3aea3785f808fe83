// Puts '*' in the place of secrets' values in a stream of bytes, length for length, also when a value is cut in two.
//
// Shape:  feed() returns what can be told now; at most the length of the longest value less one byte is held back, until it is clear, or until flush().
// Bounds: values shorter than 4 bytes are left alone: masking them would hide everything. What has been encoded otherwise (base64, ...) is not found.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vigil::logs {

class Masker {
  public:
    static constexpr std::size_t shortest = 4;

    explicit Masker(std::vector<std::string> values);
    std::string feed(std::string_view bytes);
    std::string flush();
    std::size_t held() const { return held_.size(); }

  private:
    std::size_t mask(std::string& text) const;

    std::vector<std::string> values_;
    std::string held_;
};

/// A whole text at once.
std::string masked(std::string text, const std::vector<std::string>& values);

}  // namespace vigil::logs
