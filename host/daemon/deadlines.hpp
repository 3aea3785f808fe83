// The named deadlines of one VM, on the clock that the events carry.
#pragma once

#include "shared/base/clock.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace vigil::daemon {

class Deadlines {
  public:
    Deadlines(boost::asio::io_context& io, const Clock& clock, std::function<void(const std::string& name)> passed);
    void arm(const std::string& name, MonoUs due_mono_us);  // replaces one of that name
    void cancel(const std::string& name) { timers_.erase(name); }
    void cancel_all() { timers_.clear(); }
    bool any() const { return !timers_.empty(); }

  private:
    boost::asio::io_context& io_;
    const Clock& clock_;
    std::function<void(const std::string&)> passed_;
    // The timers' callbacks hold a weak pointer: one that has expired may still be queued when it is cancelled or when we go.
    std::map<std::string, std::shared_ptr<boost::asio::steady_timer>> timers_;
};

}  // namespace vigil::daemon
