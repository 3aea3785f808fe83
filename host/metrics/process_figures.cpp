#include "host/metrics/vm_metrics.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace vigil::metrics {

namespace {

double seconds(const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6; }

double resident_bytes() {
    std::ifstream file("/proc/self/statm");
    std::uint64_t size = 0, resident = 0;
    file >> size >> resident;
    return static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

double open_descriptors() {
    std::error_code failure;
    const std::filesystem::directory_iterator all("/proc/self/fd", failure);
    return failure ? 0 : static_cast<double>(std::distance(begin(all), end(all)));
}

}  // namespace

void write_process_figures(Exposition& out) {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    out.family("process_cpu_seconds_total", Kind::counter, "Processor time of the daemon.");
    out.sample(seconds(usage.ru_utime) + seconds(usage.ru_stime));
    out.family("process_resident_memory_bytes", Kind::gauge, "Resident memory of the daemon.");
    out.sample(resident_bytes());
    out.family("process_open_fds", Kind::gauge, "Open descriptors of the daemon.");
    out.sample(open_descriptors());
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    out.family("process_max_fds", Kind::gauge, "Descriptors that the daemon may have.");
    out.sample(static_cast<double>(limit.rlim_cur));
}

}  // namespace vigil::metrics
