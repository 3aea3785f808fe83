// A request to a port inside a VM: where it goes, what a browser may, what goes along.
#include "host/http1/hop.hpp"
#include "host/ports/address.hpp"
#include "host/ports/browser.hpp"
#include "host/ports/forward.hpp"
#include "tests/fuzz/require.hpp"

#include <cstdint>

using namespace vigil;
using namespace vigil::ports;
using vigil::fuzz::require;

namespace {

void look_at(const http1::RequestHead& head) {
    const auto place = address_of(head);
    const auto* const address = std::get_if<Address>(&place);
    if (address == nullptr) {
        const auto& refusal = std::get<Refusal>(place);
        require(refusal.status == 308 || (refusal.status >= 400 && refusal.status < 500), "a request that means nothing is the client's mistake");
        require(refusal.location.find_first_of("\r\n") == std::string::npos, "a redirect breaks out of its field");
        return;
    }
    require(!address->vm.empty() && address->vm.find('/') == std::string::npos, "the VM's name is one name");
    require(address->wanted.port.has_value() != !address->wanted.service.empty(), "a number or a name");
    require(address->target.starts_with('/'), "the guest is asked for a path");
    require(head.target.ends_with(address->target) && head.target.size() == address->prefix.size() + address->target.size(), "the target is what the client wrote");
    if (const auto refusal = browser_may_not(head, *address, "9000")) require(refusal->location.find_first_of("\r\n") == std::string::npos, "a redirect breaks out");
    const auto asked = read_asked(head);
    if (!asked) return;
    const auto sent = for_guest(head, *address, *asked, "127.0.0.1");
    if (!sent) return;
    const auto text = http1::to_text(*sent);
    const auto again = http1::parse_request_head(text);
    if (!again) return require(sent->fields.size() > http1::max_fields, "what goes to the guest is no head");
    const auto framing = http1::request_framing(*again);
    require(framing && *framing == asked->framing, "the guest sees another body than we do");
    const auto forwarded = http1::list_of(again->fields, "x-forwarded-for");
    require(forwarded.size() == 1 && forwarded.front() == "127.0.0.1", "a client says who it is");
    require(http1::upgrade_of(again->fields).has_value() == asked->upgrade.has_value(), "an upgrade that we did not see");
}

void look_at_answer(const http1::ResponseHead& answer, After after, const char* method) {
    const auto framing = http1::response_framing(answer, method);
    const auto passed = for_client(answer, after, 1);
    if (!framing || !passed) return;
    const auto again = http1::parse_response_head(http1::to_text(*passed));
    if (!again) return require(passed->fields.size() > http1::max_fields, "what goes to the client is no head");
    const auto seen = http1::response_framing(*again, method);
    require(seen && seen->kind == framing->kind && seen->length == framing->length, "the client sees another body than we do");
    require(http1::upgrade_of(again->fields).has_value() == (after == After::upgrade), "an upgrade that the guest did not agree to");
    require(again->status == answer.status, "the client sees another status");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const auto end = http1::head_size(bytes);
    if (!end || !*end) return 0;
    if (const auto head = http1::parse_request_head(bytes.substr(0, **end))) look_at(*head);
    const auto answer = http1::parse_response_head(bytes.substr(0, **end));
    if (!answer) return 0;
    for (const auto after : {After::close, After::keep, After::upgrade})
        for (const char* method : {"GET", "HEAD"}) look_at_answer(*answer, after, method);
    return 0;
}
