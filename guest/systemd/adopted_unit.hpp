// One unit that systemd runs and we report as a service: its state on every change, a crash report for every end that nobody asked for.
//
// Shape:  changed() after the facts have changed; it finds what is new and submits. An end is judged at once, told once its last words are there.
//         A unit that systemd starts again and again for ever is failed in our words, until it has stayed up for calm_us.
// Thread: the loop's.
#pragma once

#include "guest/report/report_sink.hpp"
#include "guest/supervisor/restart_policy.hpp"
#include "guest/systemd/last_words.hpp"
#include "guest/systemd/unit_facts.hpp"
#include "guest/systemd/unit_probes.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace vigil::guest::systemd {

struct UnitContext {
  EventLoop& loop;
  ReportSink& sink;
  LastWords& words;
  readiness::ProbeTools& tools;
  int scale = 1;  // of deadlines
  std::function<void()> changed;  // what the stages look at has changed
};

class AdoptedUnit {
public:
  enum class Kind { service, target };

  AdoptedUnit(std::string unit, Kind kind, bool essential, UnitContext& context);
  AdoptedUnit(const AdoptedUnit&) = delete;
  AdoptedUnit& operator=(const AdoptedUnit&) = delete;
  ~AdoptedUnit() { *alive_ = false; }

  const std::string& unit() const { return unit_; }
  Kind kind() const { return kind_; }
  bool is_essential() const { return essential_; }
  void is_essential(bool essential) { essential_ = essential; }
  UnitFacts& facts() { return facts_; }
  const UnitFacts& facts() const { return facts_; }

  /// What its file asks for beyond being active, or what is wrong with that. Before the first changed(), and whenever the file may be another: other wishes than before
  /// are probed anew.
  void wishes_for(std::variant<ProbeWishes, protocol::Cause> wishes);
  /// The facts have changed. `ends_are_news`: what has ended did so while we looked.
  void changed(bool ends_are_news = true);
  /// Its core was dumped: told at once, without last words.
  void dumped_core(const process::ProcessEnd& end);
  /// Its start job is gone, for the reason of `cause`.
  void could_not_start(protocol::Cause cause);
  /// Its start job has failed: what it is now it stays.
  void start_failed();
  /// Why it waits; nothing: it does not any more.
  void blocked(std::vector<std::string> waits_for, std::optional<protocol::Cause> cause);
  /// Something above it keeps it from working.
  void overruled(std::optional<protocol::Cause> cause);

  bool is_waiting() const { return facts_.job != 0 && facts_.active_state != "active" && !stop_asked_; }
  /// 0: it does not wait.
  MonoUs waits_since_us() const { return waits_since_us_; }
  /// Its last words are still looked for.
  bool has_more_to_tell() const { return words_asked_ > 0; }
  /// Ready, or ended well.
  bool works() const;
  protocol::ServiceReport report() const;

private:
  /// It has ended and systemd may start it again in a moment: on the way there it looks like one that is left alone.
  bool is_between_runs() const;
  bool has_reached_limit() const;
  bool has_ended() const { return facts_.exec_code != 0 && facts_.exec_pid != 0 && facts_.exec_ended_us != 0; }
  void look_for_end(bool is_news);
  void ended();
  void tell(protocol::CrashReport crash, const std::string& words);
  void submit_if_new();
  std::vector<std::string> evidence() const;
  void add_probes_to(protocol::ServiceReport& report) const;

  const std::string unit_;
  const Kind kind_;
  bool essential_;
  UnitContext& context_;
  UnitFacts facts_;
  std::unique_ptr<UnitProbes> probes_;  // none: active is ready
  std::optional<protocol::Cause> wrong_wish_;
  supervisor::RestartPolicy policy_;
  bool policy_is_set_ = false;
  bool stop_asked_ = false;  // what it ends with is its own affair then
  bool is_settled_ = false;  // nobody starts it again
  bool limit_reached_ = false, ended_before_us_ = true;
  MonoUs waits_since_us_ = 0;
  pid_t pid_between_runs_ = 0;  // of the run before, seen while the next was due
  std::pair<pid_t, MonoUs> end_seen_{0, 0};
  std::set<pid_t> cores_told_;
  std::uint32_t crashes_ = 0, words_asked_ = 0;
  std::optional<protocol::Cause> last_end_, loop_cause_, block_cause_, start_cause_, overruling_;
  std::vector<std::string> waits_for_, last_lines_;
  std::optional<protocol::ServiceReport> told_;
  LoopToken calm_, settling_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace vigil::guest::systemd
