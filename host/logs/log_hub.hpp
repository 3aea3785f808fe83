// Tells who reads a run's logs that there is more, or that nothing comes any more.
//
// Shape:  the writer holds an Open while its run may write. Readers are woken, and look for themselves. Thread: the event thread.
#pragma once

#include "shared/base/ids.hpp"

#include <functional>
#include <map>
#include <memory>
#include <utility>

namespace vigil::logs {

class LogHub {
  public:
    using Run = std::pair<InstanceId, RunNumber>;
    using Token = std::shared_ptr<std::function<void()>>;

    /// As long as the token lives.
    Token listen(const Run& run, std::function<void()> wake) {
        auto token = std::make_shared<std::function<void()>>(std::move(wake));
        std::erase_if(listeners_, [](const auto& each) { return each.second.expired(); });
        listeners_.emplace(run, token);
        return token;
    }
    void notify(const Run& run) const {
        const auto [begin, end] = listeners_.equal_range(run);
        for (auto each = begin; each != end; ++each)
            if (const auto wake = each->second.lock()) (*wake)();
    }
    bool is_open(const Run& run) const { return open_.contains(run); }

    class Open {
      public:
        Open(LogHub& hub, Run run) : hub_(hub), run_(std::move(run)) { ++hub_.open_[run_]; }
        Open(const Open&) = delete;
        Open& operator=(const Open&) = delete;
        ~Open() {
            if (--hub_.open_[run_] == 0) hub_.open_.erase(run_);
            hub_.notify(run_);
        }
        void notify() const { hub_.notify(run_); }

      private:
        LogHub& hub_;
        Run run_;
    };

  private:
    std::multimap<Run, std::weak_ptr<std::function<void()>>> listeners_;
    std::map<Run, int> open_;
};

}  // namespace vigil::logs
