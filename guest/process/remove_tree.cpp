#include "guest/process/remove_tree.hpp"

#include <ftw.h>

#include <cstdio>

namespace vigil::guest::process {

void remove_tree(const std::string& path) {
  constexpr int open_directories = 16;
  const auto remove_one = [](const char* name, const struct stat*, int, FTW*) {
    std::remove(name);
    return 0;
  };
  nftw(path.c_str(), remove_one, open_directories, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

}  // namespace vigil::guest::process
