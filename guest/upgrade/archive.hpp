// The two directions of the codec over one description of the fields. Private to this folder.
//
// Shape:  archive(member, member, ...) writes, or reads, in that order. Numbers are 8 bytes, little-endian; texts, lists and records tell their length first.
//         A reader that has met nonsense stays failed, and gives defaults.
#pragma once

#include "shared/base/result.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace vigil::guest::upgrade {

/// A member that is a number of a descriptor, -1 for none.
struct Descriptor {
  int& fd;
};

template <class T>
concept Number = std::is_integral_v<T> || std::is_enum_v<T>;

class Writer {
public:
  static constexpr bool reads = false;

  template <class... Members>
  void operator()(Members&&... members) {
    (put(members), ...);
  }
  std::string bytes;
  std::vector<int> descriptors;
  bool failed() const { return false; }
  void fail() {}

  void put(Descriptor member) {
    put(member.fd);
    if (member.fd >= 0) descriptors.push_back(member.fd);
  }
  template <Number T>
  void put(const T& value) {
    const auto number = static_cast<std::uint64_t>(value);
    for (int i = 0; i < 8; ++i) bytes += static_cast<char>((number >> (8 * i)) & 0xff);
  }
  void put(std::chrono::milliseconds& value) { put(value.count()); }
  void put(std::string& text) {
    put(text.size());
    bytes += text;
  }
  template <class T>
  void put(std::vector<T>& list) {
    put(list.size());
    for (auto& each : list) put(each);
  }
  template <class K, class T>
  void put(std::map<K, T>& map) {
    put(map.size());
    for (auto& [key, value] : map) {
      put(key);
      put(value);
    }
  }
  void put(const std::string& text) { put(const_cast<std::string&>(text)); }
  template <class T>
  void put(std::optional<T>& value) {
    put(value.has_value());
    if (value) put(*value);
  }
  template <class A, class B>
  void put(std::pair<A, B>& pair) {
    put(pair.first);
    put(pair.second);
  }
  /// A record: its length, then what fields() says.
  template <class T>
    requires std::is_class_v<T>
  void put(T& record) {
    const std::size_t at = bytes.size();
    put(std::uint64_t{0});
    fields(*this, record);
    const std::uint64_t length = bytes.size() - at - 8;
    for (std::size_t i = 0; i < 8; ++i) bytes[at + i] = static_cast<char>((length >> (8 * i)) & 0xff);
  }
};

class Reader {
public:
  static constexpr bool reads = true;

  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  template <class... Members>
  void operator()(Members&&... members) {
    (get(members), ...);
  }
  std::vector<int> descriptors;
  bool failed() const { return failed_; }
  void fail() {
    failed_ = true;
    rest_ = {};
  }

  void get(Descriptor member) {
    if (!has_more()) return;
    get(member.fd);
    if (member.fd < -1 || member.fd >= max_descriptor) return fail();
    if (member.fd >= 0) descriptors.push_back(member.fd);
  }
  template <Number T>
  void get(T& value) {
    if (!has_more()) return;
    if (rest_.size() < 8) return fail();
    std::uint64_t number = 0;
    for (std::size_t i = 8; i > 0; --i) number = (number << 8) | static_cast<unsigned char>(rest_[i - 1]);
    rest_.remove_prefix(8);
    value = static_cast<T>(number);
    if (static_cast<std::uint64_t>(value) != number) fail();
  }
  void get(std::chrono::milliseconds& value) {
    std::int64_t count = value.count();
    get(count);
    value = std::chrono::milliseconds(count);
  }
  void get(std::string& text) {
    if (!has_more()) return;
    const std::size_t length = size();
    text.assign(rest_.substr(0, length));
    rest_.remove_prefix(length);
  }
  template <class T>
  void get(std::vector<T>& list) {
    if (!has_more()) return;
    list.clear();
    for (std::size_t left = size(); left > 0 && !failed_; --left) {
      if (rest_.empty()) return fail();
      get(list.emplace_back());
    }
  }
  template <class K, class T>
  void get(std::map<K, T>& map) {
    if (!has_more()) return;
    for (std::size_t left = size(); left > 0 && !failed_; --left) {
      if (rest_.empty()) return fail();
      K key;
      get(key);
      get(map[std::move(key)]);
    }
  }
  template <class T>
  void get(std::optional<T>& value) {
    if (!has_more()) return;
    bool there = false;
    get(there);
    if (there)
      get(value.emplace());
    else
      value.reset();
  }
  template <class A, class B>
  void get(std::pair<A, B>& pair) {
    get(pair.first);
    get(pair.second);
  }
  template <class T>
    requires std::is_class_v<T>
  void get(T& record) {
    if (!has_more()) return;
    const std::size_t length = size();
    const std::string_view after = rest_.substr(length);
    rest_ = rest_.substr(0, length);
    fields(*this, record);
    if (!failed_) rest_ = after;
  }

private:
  static constexpr int max_descriptor = 1 << 20;

  /// At the end of a record members keep their defaults: an older build has written it.
  bool has_more() const { return !failed_ && !rest_.empty(); }
  /// Of what follows; never more than there is, one byte an item.
  std::size_t size() {
    std::uint64_t length = 0;
    get(length);
    if (length > rest_.size()) fail();
    return failed_ ? 0 : static_cast<std::size_t>(length);
  }

  std::string_view rest_;
  bool failed_ = false;
};

}  // namespace vigil::guest::upgrade
