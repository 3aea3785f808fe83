#include "host/store/event_sum.hpp"

#include "shared/base/encoding.hpp"

namespace vigil::store {

std::uint32_t sum_of(const machine::EncodedEvent& event, std::string_view body) {
  std::string all = event.instance.value();
  for (const auto& part : {std::to_string(event.run.value()), event.type, std::to_string(event.at_unix_us), std::to_string(event.mono_us)})
    all += '\0' + part;
  all += '\0';
  all += body;
  return crc32c(all);
}

Result<void> check_sum(const machine::EncodedEvent& event, std::optional<std::uint64_t> sum) {
  if (!sum || *sum == sum_of(event, event.body)) return {};
  return Error(Errc::io,
               "event " + std::to_string(event.seq) + " of " + event.instance.value() +
                   " is not as it was written: the disk or the memory has changed it; it is left as it is: put a copy of the store back");
}

}  // namespace vigil::store
