// Loads the kernel modules that the initramfs lists, in its order.
//
// Shape:  /etc/vigil/modules holds file names of /lib/modules, one a line, dependencies first; blank lines and lines with # are skipped.
// Errors: a module that is not there or does not fit the kernel is boot.module_missing{module}; one whose device is not there (ENODEV) is no error.
// Source: init_module(2).
#pragma once

#include "shared/protocol/cause.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::guest::boot {

std::vector<std::string> parse_module_list(std::string_view text);

/// Calls `loaded` after each one with its file name. Ends at the first that cannot be loaded.
std::optional<protocol::Cause> load_modules(const std::vector<std::string>& files, const std::function<void(const std::string&)>& loaded);

}  // namespace vigil::guest::boot
