#include "host/logs/masker.hpp"

#include <algorithm>
#include <utility>

namespace vigil::logs {

Masker::Masker(std::vector<std::string> values) : values_(std::move(values)) {
    std::erase_if(values_, [](const std::string& value) { return value.size() < shortest; });
    std::ranges::sort(values_, [](const std::string& a, const std::string& b) { return a.size() > b.size(); });   // one that holds another first
}

std::string Masker::feed(std::string_view bytes) {
    if (values_.empty()) return std::string(bytes);
    std::string text = std::exchange(held_, {});
    text += bytes;
    const auto clear = mask(text);
    held_ = text.substr(clear);
    text.resize(clear);
    return text;
}

/// No longer value came: a shorter one may be in what was held for it.
std::string Masker::flush() {
    std::string text = std::exchange(held_, {}), clear;
    while (!text.empty()) {
        const auto masked_to = mask(text);
        clear += text.substr(0, masked_to);
        text.erase(0, masked_to);
        if (text.empty()) break;
        const auto inner = std::ranges::find_if(values_, [&](const std::string& value) { return text.starts_with(value); });
        const auto length = inner == values_.end() ? 1 : inner->size();
        clear += inner == values_.end() ? text.substr(0, 1) : std::string(length, '*');
        text.erase(0, length);
    }
    return clear;
}

/// How much of the text is clear: from there on it could be the beginning of a value (longer ones are looked for first).
std::size_t Masker::mask(std::string& text) const {
    for (std::size_t at = 0; at < text.size();) {
        const std::string_view rest = std::string_view(text).substr(at);
        const auto fits = [&](const std::string& value) {
            return value.front() == rest.front() && rest.substr(0, value.size()) == std::string_view(value).substr(0, rest.size());
        };
        const auto value = std::ranges::find_if(values_, fits);
        if (value == values_.end()) {
            ++at;
            continue;
        }
        if (value->size() > rest.size()) return at;
        text.replace(at, value->size(), value->size(), '*');
        at += value->size();
    }
    return text.size();
}

std::string masked(std::string text, const std::vector<std::string>& values) {
    Masker masker(values);
    std::string whole = masker.feed(text);
    whole += masker.flush();
    return whole;
}

}  // namespace vigil::logs
