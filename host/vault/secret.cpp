#include "host/vault/secret.hpp"

#include <openssl/crypto.h>

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace vigil::vault {

namespace {

std::size_t whole_pages(std::size_t size) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return (size + page - 1) / page * page;
}

}  // namespace

Secret::Secret(std::size_t size) : size_(size), mapped_(whole_pages(size)) {
  if (size == 0) return;
  void* const pages = ::mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) std::abort();   // out of memory
  (void)::madvise(pages, mapped_, MADV_DONTDUMP);
  (void)::mlock(pages, mapped_);           // RLIMIT_MEMLOCK may be small: then it may be swapped, as before
  bytes_ = static_cast<char*>(pages);
}

Secret Secret::copy_of(std::string_view bytes) {
  Secret secret(bytes.size());
  if (!bytes.empty()) std::memcpy(secret.bytes_, bytes.data(), bytes.size());
  return secret;
}

Secret Secret::take_from(std::string& text) {
  auto secret = copy_of(text);
  cleanse(text);
  return secret;
}

Secret::Secret(Secret&& other) noexcept
    : bytes_(std::exchange(other.bytes_, nullptr)), size_(std::exchange(other.size_, 0)), mapped_(std::exchange(other.mapped_, 0)) {}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this == &other) return *this;
  clear();
  bytes_ = std::exchange(other.bytes_, nullptr);
  size_ = std::exchange(other.size_, 0);
  mapped_ = std::exchange(other.mapped_, 0);
  return *this;
}

Secret::~Secret() { clear(); }

void Secret::clear() {
  if (bytes_ == nullptr) return;
  OPENSSL_cleanse(bytes_, mapped_);
  ::munmap(bytes_, mapped_);
  bytes_ = nullptr;
  size_ = mapped_ = 0;
}

void Secret::shrink(std::size_t size) {
  if (size >= size_) return;
  OPENSSL_cleanse(bytes_ + size, size_ - size);
  size_ = size;
}

void cleanse(std::string& text) {
  text.resize(text.capacity());   // within what it has: nothing moves
  if (!text.empty()) OPENSSL_cleanse(text.data(), text.size());
  text.clear();
}

}  // namespace vigil::vault
