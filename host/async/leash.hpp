// What an answer that goes on hangs by, an event stream or a connection that was handed over: cut, it ends before its time.
//
// Shape:  one a request; whoever gave the right to ask keeps it weakly and cuts it when the right is gone. Who carries the answer says with on_cut() how it ends: called
//         once, at once when it is cut already, and never after forget().
// Thread: the event thread.
#pragma once

#include <functional>
#include <utility>

namespace vigil::async {

class Leash {
public:
  void on_cut(std::function<void()> end) {
    end_ = std::move(end);
    if (is_cut_) call_end();
  }
  void forget() { end_ = nullptr; }
  void cut() {
    is_cut_ = true;
    call_end();
  }
  bool is_cut() const { return is_cut_; }
  /// Somebody has said how it ends, and it has not.
  bool goes_on() const { return static_cast<bool>(end_); }

private:
  void call_end() {
    if (const auto end = std::exchange(end_, nullptr)) end();
  }

  std::function<void()> end_;
  bool is_cut_ = false;
};

}  // namespace vigil::async
