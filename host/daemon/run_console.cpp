#include "host/daemon/run_console.hpp"

#include <algorithm>

namespace vigil::daemon {

namespace {

bool is_known(const machine::EventBody& body, const machine::VmState& state) {
    const auto* finding = std::get_if<machine::ConsoleFinding>(&body);
    if (finding == nullptr || !state.run) return false;
    return std::ranges::any_of(state.run->findings, [&](const machine::FindingRecord& record) {
        const auto& known = record.finding;
        return known.kind == finding->kind && known.kernel_us == finding->kernel_us && known.text == finding->text &&
               known.lines.size() >= finding->lines.size();
    });
}

}  // namespace

RunConsole::RunConsole(const std::filesystem::path& run_dir, const Clock& clock)
    : mark_(run_dir), clock_(clock), line_end_(ConsoleMark::read(run_dir)), read_to_(line_end_) {}

std::vector<machine::EventBody> RunConsole::feed(std::uint64_t offset, std::string_view bytes, const machine::VmState& state) {
    auto events = reader_.feed(bytes, clock_.mono_us());
    std::erase_if(events, [&](const machine::EventBody& body) { return is_known(body, state); });
    read_to_ = offset + bytes.size();
    if (const auto newline = bytes.rfind('\n'); newline != bytes.npos) line_end_ = offset + newline + 1;
    return events;
}

}  // namespace vigil::daemon
