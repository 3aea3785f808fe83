// Dials a Unix socket: development and tests outside a VM.
#pragma once

#include "guest/link/dialler.hpp"

#include <string>

namespace vigil::guest::link {

class UnixDialler final : public Dialler {
public:
  /// At most 107 bytes (checked by the options).
  explicit UnixDialler(std::string path) : path_(std::move(path)) {}
  Result<UniqueFd> dial() override;

private:
  std::string path_;
};

}  // namespace vigil::guest::link
