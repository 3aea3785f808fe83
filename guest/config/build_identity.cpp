#include "guest/config/build_identity.hpp"

#include "shared/base/build_id.hpp"

#include <link.h>
#include <sys/utsname.h>

namespace vigil::guest::config {
namespace {

int look_at_program(dl_phdr_info* info, std::size_t, void* found) {
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& header = info->dlpi_phdr[i];
    if (header.p_type != PT_NOTE) continue;
    auto& id = *static_cast<std::string*>(found);
    id = build_id_in_notes({reinterpret_cast<const char*>(info->dlpi_addr + header.p_vaddr), header.p_memsz});
    if (!id.empty()) break;
  }
  return 1;   // the first object is the program itself
}

}  // namespace

std::string agent_version() { return VIGIL_VERSION; }

std::string build_id() {
  std::string id;
  dl_iterate_phdr(look_at_program, &id);
  return id;
}

std::string kernel_release() {
  utsname names{};
  return ::uname(&names) == 0 ? names.release : "";
}

}  // namespace vigil::guest::config
