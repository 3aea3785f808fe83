// What an X display says, as bytes: in this machine's order, as the protocol's appendix B lays it out.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace vigil::guest::readiness::x11_bytes {

constexpr std::uint32_t root = 0x2a1;

template <class T>
void put(std::string& bytes, std::size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

inline std::string setup_reply(std::uint16_t width, std::uint16_t height) {
  const std::size_t screen = 40 + 8 + 2 * 8;   // a vendor of 5 bytes, two formats
  std::string bytes(screen + 40, '\0');
  bytes[0] = 1;
  put<std::uint16_t>(bytes, 2, 11);
  put<std::uint16_t>(bytes, 6, static_cast<std::uint16_t>((bytes.size() - 8) / 4));
  put<std::uint16_t>(bytes, 24, 5);
  bytes[28] = 1;
  bytes[29] = 2;
  put<std::uint32_t>(bytes, screen, root);
  put<std::uint16_t>(bytes, screen + 20, width);
  put<std::uint16_t>(bytes, screen + 22, height);
  return bytes;
}

inline std::string message(std::uint8_t type, std::uint16_t sequence) {
  std::string bytes(32, '\0');
  bytes[0] = static_cast<char>(type);
  put<std::uint16_t>(bytes, 2, sequence);
  return bytes;
}

inline std::string geometry(std::uint16_t sequence, std::uint16_t width, std::uint16_t height) {
  std::string bytes = message(1, sequence);
  put<std::uint16_t>(bytes, 16, width);
  put<std::uint16_t>(bytes, 18, height);
  return bytes;
}

inline std::string atom(std::uint16_t sequence, std::uint32_t atom) {
  std::string bytes = message(1, sequence);
  put<std::uint32_t>(bytes, 8, atom);
  return bytes;
}

inline std::string no_property(std::uint16_t sequence) { return message(1, sequence); }

inline std::string windows(std::uint16_t sequence, const std::vector<std::uint32_t>& windows) {
  std::string bytes = message(1, sequence);
  bytes[1] = 32;
  put<std::uint32_t>(bytes, 4, static_cast<std::uint32_t>(windows.size()));
  put<std::uint32_t>(bytes, 16, static_cast<std::uint32_t>(windows.size()));
  for (const auto window : windows) bytes.append(reinterpret_cast<const char*>(&window), sizeof window);
  return bytes;
}

inline std::string extension(std::uint16_t sequence, std::uint8_t first_byte) {
  std::string bytes = message(1, sequence);
  bytes[8] = first_byte != 0 ? 1 : 0;
  bytes[9] = static_cast<char>(first_byte);
  return bytes;
}

inline std::string process(std::uint16_t sequence, std::uint32_t window, std::uint32_t pid) {
  std::string bytes = message(1, sequence);
  put<std::uint32_t>(bytes, 4, 4);
  put<std::uint32_t>(bytes, 8, 1);
  for (const std::uint32_t word : {window, 2U, 4U, pid}) bytes.append(reinterpret_cast<const char*>(&word), sizeof word);
  return bytes;
}

inline std::string property_notify(std::uint32_t atom) {
  std::string bytes = message(28, 4);
  put<std::uint32_t>(bytes, 4, root);
  put<std::uint32_t>(bytes, 8, atom);
  return bytes;
}

inline std::string configure_notify(std::uint16_t width, std::uint16_t height) {
  std::string bytes = message(22, 1);
  put<std::uint32_t>(bytes, 8, root);
  put<std::uint16_t>(bytes, 20, width);
  put<std::uint16_t>(bytes, 22, height);
  return bytes;
}

}  // namespace vigil::guest::readiness::x11_bytes
