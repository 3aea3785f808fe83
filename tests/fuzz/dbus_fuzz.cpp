// What a D-Bus peer sends: messages out of bytes, values out of their bodies, systemd's properties out of those.
#include "guest/dbus/message.hpp"
#include "guest/systemd/unit_facts.hpp"
#include "tests/fuzz/require.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace {

using namespace vigil::guest;
using vigil::fuzz::require;

std::vector<dbus::Message> read_in_pieces(std::string_view bytes, std::size_t piece) {
  dbus::MessageReader reader;
  std::vector<dbus::Message> messages;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    reader.add(bytes.substr(at, piece));
    for (;;) {
      auto next = reader.next();
      if (!next) return messages;
      if (!*next) break;
      messages.push_back(std::move(**next));
    }
    require(reader.held() <= bytes.size(), "nothing is held that was not said");
  }
  return messages;
}

void read_values(const dbus::Message& message) {
  auto all = message.reader();
  while (all.next() != '\0') all.skip();
  systemd::UnitFacts facts;
  auto properties = message.reader();
  if (message.signature.starts_with("s")) properties.skip();   // PropertiesChanged names its interface first
  systemd::take_properties(facts, properties);
  require(facts.wants.size() <= 1024 && facts.invocation.size() <= 32 && facts.active_state.size() <= 1024, "what is kept is bounded");
  (void)systemd::state_of(facts);
  (void)systemd::describe_end(facts);
  const std::string name = systemd::service_name_of(facts.id);
  require(name.empty() || vigil::parse_service_name(name).has_value(), "a unit's name becomes a service's, or none");
  (void)systemd::device_of(facts.id);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto whole = read_in_pieces(bytes, size + 1);
  require(whole == read_in_pieces(bytes, 7), "how the bytes were cut changes nothing");
  for (const dbus::Message& message : whole) read_values(message);
  return 0;
}
