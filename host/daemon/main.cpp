#include "host/daemon/daemon.hpp"
#include "host/daemon/store_command.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <exception>
#include <iostream>

namespace {

/// A client of a port inside a VM costs two descriptors; the usual soft limit of 1024 would end at some five hundred of them.
void raise_descriptor_limit() {
    constexpr rlim_t enough = 8192;
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= enough) return;
    limit.rlim_cur = std::min(limit.rlim_max, enough);
    (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
    const auto options = vigil::daemon::parse_options(argc, argv);
    if (options.command != vigil::daemon::Command::serve) return vigil::daemon::run_store_command(options);
    spdlog::set_default_logger(spdlog::stderr_logger_st("vigild"));
    spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
    spdlog::set_level(spdlog::level::from_str(options.log_level));
    std::signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    try {
        const auto served = vigil::daemon::run_daemon(options);
        if (served) return 0;
        std::cerr << "vigild: " << served.error().message() << "\n";
    } catch (const std::exception& failure) {
        std::cerr << "vigild: " << failure.what() << "\n";
    }
    return 1;
}
