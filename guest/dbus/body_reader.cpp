#include "guest/dbus/body_reader.hpp"

#include <cstring>

namespace vigil::guest::dbus {
namespace {

constexpr std::string_view basic_types = "ybnqiuxtdsogh";
constexpr std::size_t max_array_bytes = 64 << 20;

bool is_basic(char type) { return basic_types.find(type) != basic_types.npos; }

/// How many bytes a fixed type takes, which is its alignment, too; 0: it is of no fixed size.
std::size_t size_of(char type) {
  switch (type) {
    case 'y': return 1;
    case 'n':
    case 'q': return 2;
    case 'b':
    case 'i':
    case 'u':
    case 'h': return 4;
    case 'x':
    case 't':
    case 'd': return 8;
    default: return 0;
  }
}

std::size_t alignment_of(char type) {
  if (const std::size_t size = size_of(type); size != 0) return size;
  if (type == '(' || type == '{') return 8;
  return type == 'g' || type == 'v' ? 1 : 4;
}

/// Of the members up to `end`, which is counted in.
std::optional<std::size_t> members_up_to(char end, std::string_view signature, std::size_t at, int depth) {
  while (at < signature.size() && signature[at] != end) {
    const auto length = complete_type(signature.substr(at), depth);
    if (!length) return std::nullopt;
    at += *length;
  }
  return at < signature.size() ? std::optional(at + 1) : std::nullopt;
}

}  // namespace

std::optional<std::size_t> complete_type(std::string_view signature, int depth) {
  if (signature.empty() || depth > max_depth) return std::nullopt;
  const char type = signature.front();
  if (is_basic(type) || type == 'v') return 1;
  if (type == '(') {
    const auto length = members_up_to(')', signature, 1, depth + 1);
    return length && *length > 2 ? length : std::nullopt;   // "()" is no type
  }
  if (type != 'a' || signature.size() < 2) return std::nullopt;
  if (signature[1] != '{') {
    const auto element = complete_type(signature.substr(1), depth + 1);
    return element ? std::optional(*element + 1) : std::nullopt;
  }
  if (signature.size() < 3 || !is_basic(signature[2])) return std::nullopt;
  const auto value = complete_type(signature.substr(3), depth + 1);
  const bool is_whole = value && signature.size() > 3 + *value && signature[3 + *value] == '}';
  return is_whole ? std::optional(4 + *value) : std::nullopt;
}

BodyReader::BodyReader(std::string_view body, std::string_view signature) : BodyReader(body, signature, 0, 0) {}

BodyReader::BodyReader(std::string_view body, std::string_view signature, std::size_t at, int depth)
    : body_(body), signature_(signature), at_(at), depth_(depth) {
  if (depth > max_depth) fail();
}

void BodyReader::fail() {
  failed_ = true;
  signature_ = {};
}

bool BodyReader::align(std::size_t to) {
  const std::size_t aligned = (at_ + to - 1) / to * to;
  if (failed_ || aligned > body_.size()) {
    fail();
    return false;
  }
  at_ = aligned;
  return true;
}

bool BodyReader::take(std::size_t size, std::uint64_t& value) {
  if (!align(size) || body_.size() - at_ < size) {
    fail();
    return false;
  }
  value = 0;
  std::memcpy(&value, body_.data() + at_, size);
  at_ += size;
  return true;
}

std::uint64_t BodyReader::number() {
  const char type = next();
  const std::size_t size = size_of(type);
  std::uint64_t value = 0;
  if (size == 0 || type == 'd') fail();
  if (failed_ || !take(size, value)) return 0;
  signature_.remove_prefix(1);
  const std::uint64_t sign = std::uint64_t{1} << (size * 8 - 1);
  const bool is_signed = type == 'n' || type == 'i' || type == 'x';
  return is_signed && size < 8 && (value & sign) != 0 ? value | ~(sign * 2 - 1) : value;
}

std::string_view BodyReader::text() {
  const char type = next();
  if (type != 's' && type != 'o' && type != 'g') fail();
  std::uint64_t length = 0;
  if (failed_ || !take(type == 'g' ? 1 : 4, length)) return {};
  if (length >= body_.size() - at_ || body_[at_ + length] != '\0') {
    fail();
    return {};
  }
  const std::string_view found = body_.substr(at_, length);
  at_ += length + 1;
  signature_.remove_prefix(1);
  return found;
}

void BodyReader::within(std::string_view signature, const std::function<void(BodyReader&)>& read) {
  BodyReader inner(body_, signature, at_, depth_ + 1);
  if (!inner.failed_) read(inner);
  while (!inner.failed_ && inner.next() != '\0') inner.skip();
  at_ = inner.at_;
  if (inner.failed_) fail();
}

void BodyReader::each(const std::function<void(BodyReader&)>& element) {
  const auto length = next() == 'a' ? complete_type(signature_, depth_) : std::nullopt;
  std::uint64_t bytes = 0;
  if (!length) fail();
  if (failed_ || !take(4, bytes)) return;
  const std::string_view type = signature_.substr(1, *length - 1);
  if (!align(alignment_of(type.front()))) return;
  if (bytes > max_array_bytes || bytes > body_.size() - at_) return fail();
  const std::size_t end = at_ + bytes;
  while (!failed_ && at_ < end) within(type, element);
  if (at_ != end) fail();
  if (!failed_) signature_.remove_prefix(*length);
}

void BodyReader::members(const std::function<void(BodyReader&)>& read) {
  const char type = next();
  // Within an array an entry stands alone: "{sv}".
  const std::size_t length = type == '(' ? complete_type(signature_, depth_).value_or(0) : type == '{' ? signature_.size() : 0;
  if (length < 3) fail();
  if (failed_ || !align(8)) return;
  within(signature_.substr(1, length - 2), read);
  if (!failed_) signature_.remove_prefix(length);
}

void BodyReader::variant(const std::function<void(BodyReader&)>& read) {
  std::uint64_t length = 0;
  if (next() != 'v') fail();
  if (failed_ || !take(1, length)) return;
  if (length >= body_.size() - at_ || body_[at_ + length] != '\0') return fail();
  const std::string_view type = body_.substr(at_, length);
  if (complete_type(type, depth_) != type.size()) return fail();
  at_ += length + 1;
  within(type, read);
  if (!failed_) signature_.remove_prefix(1);
}

void BodyReader::skip() {
  switch (next()) {
    case '\0': return fail();
    case 'd': {
      std::uint64_t ignored = 0;
      if (take(8, ignored)) signature_.remove_prefix(1);
      return;
    }
    case 's':
    case 'o':
    case 'g': return void(text());
    case 'a': return each([](BodyReader&) {});
    case '(':
    case '{': return members([](BodyReader&) {});
    case 'v': return variant([](BodyReader&) {});
    default: return void(number());
  }
}

}  // namespace vigil::guest::dbus
