// Enum <-> wire text from one constexpr table an enum, so that code, JSON, logs and docs spell a thing the same.
//
// Use:    template <> inline constexpr auto enum_table<Colour> = make_enum_table<Colour>({{Colour::red, "red"}, ...});
// Errors: parse_enum gives nullopt for text that the table does not hold; the caller decides whether to keep the text or to refuse.
#pragma once

#include <array>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <utility>

namespace vigil {

template <class E>
using EnumRow = std::pair<E, std::string_view>;

template <class E, std::size_t N>
constexpr std::array<EnumRow<E>, N> make_enum_table(const EnumRow<E> (&rows)[N]) {
  return std::to_array(rows);
}

template <class E>
inline constexpr std::array<EnumRow<E>, 0> enum_table{};   // specialised beside each enum

template <class E>
constexpr std::string_view to_text(E value) {
  for (const auto& [row_value, text] : enum_table<E>)
    if (row_value == value) return text;
  std::abort();   // a value outside its enum: memory is corrupt
}

template <class E>
constexpr std::optional<E> parse_enum(std::string_view text) {
  for (const auto& [row_value, row_text] : enum_table<E>)
    if (row_text == text) return row_value;
  return std::nullopt;
}

}  // namespace vigil
