#include "host/shim/inherited.hpp"

#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

namespace vigil::shim {

using nlohmann::json;

namespace {

Errc errc_of(std::string_view text) {
  for (const Errc code : {Errc::invalid, Errc::not_found, Errc::conflict, Errc::denied, Errc::limit, Errc::io, Errc::unsupported})
    if (to_text(code) == text) return code;
  return Errc::internal;
}

}  // namespace

std::string encode_birth(const Result<ProcessIdentity>& birth) {
  if (birth) return dump_json(json{{"pid", birth->pid}, {"start_ticks", birth->start_ticks}}) + "\n";
  return dump_json(json{{"error", to_text(birth.error().code())}, {"message", birth.error().message()}}) + "\n";
}

Result<ProcessIdentity> parse_birth(std::string_view text) {
  if (text.empty()) return Error(Errc::unavailable, "vigil-shim ended before it listened");
  TRY(object, parse_json(text));
  if (object.contains("error")) {
    TRY(code, read_string(object, "error"));
    TRY(message, read_string(object, "message"));
    return Error(errc_of(code), "vigil-shim: " + message);
  }
  TRY(pid, read_integer(object, "pid", 1));
  TRY(start, read_integer(object, "start_ticks"));
  return ProcessIdentity{pid, static_cast<std::uint64_t>(start)};
}

}  // namespace vigil::shim
