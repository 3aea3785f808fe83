#include "host/daemon/deadlines.hpp"

namespace vigil::daemon {

Deadlines::Deadlines(boost::asio::io_context& io, const Clock& clock, std::function<void(const std::string&)> passed)
    : io_(io), clock_(clock), passed_(std::move(passed)) {}

void Deadlines::arm(const std::string& name, MonoUs due_mono_us) {
    const MonoUs now = clock_.mono_us();
    const auto left = std::chrono::microseconds(due_mono_us > now ? due_mono_us - now : 0);
    auto timer = std::make_shared<boost::asio::steady_timer>(io_, left);
    timers_[name] = timer;
    timer->async_wait([this, name, weak = std::weak_ptr(timer)](boost::system::error_code stopped) {
        if (stopped || weak.expired()) return;
        timers_.erase(name);
        passed_(name);
    });
}

}  // namespace vigil::daemon
