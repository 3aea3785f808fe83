#include "guest/readiness/file_probe.hpp"

#include <unistd.h>

#include <utility>

namespace vigil::guest::readiness {

FileProbe::FileProbe(const service_spec::FileProbe& spec, ProbeTools& tools, ProbeEvents events)
    : path_(spec.path), events_(std::move(events)), watch_(tools.loop, spec.path, [this] { look(); }) {}

void FileProbe::begin(const process::ProcessGroup&) {
  watch_.begin();
  look();
}

void FileProbe::look() {
  if (access(path_.c_str(), F_OK) != 0) return;
  watch_.end();
  events_.passed();
}

}  // namespace vigil::guest::readiness
