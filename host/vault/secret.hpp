// Bytes that nobody may find again: zeroed when they go, never copied, never printed, left out of core dumps.
//
// Shape:  a resource; move it, or look at it through view() as long as it lives. Its pages are locked where the system allows it.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace vigil::vault {

class Secret {
public:
  Secret() = default;
  explicit Secret(std::size_t size);
  static Secret copy_of(std::string_view bytes);
  /// Takes the bytes out of a text that could not be avoided, and zeroes it.
  static Secret take_from(std::string& text);
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret();

  std::size_t size() const { return size_; }
  std::string_view view() const { return {bytes_, size_}; }
  std::span<char> writable() { return {bytes_, size_}; }
  /// What is behind the new end is zeroed.
  void shrink(std::size_t size);

private:
  void clear();

  char* bytes_ = nullptr;   // pages of its own
  std::size_t size_ = 0, mapped_ = 0;
};

/// Zeroes a text, its unused capacity too.
void cleanse(std::string& text);

}  // namespace vigil::vault
