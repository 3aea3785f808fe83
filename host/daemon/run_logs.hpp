// Follows what the services of one run write, and writes it down: from the guest's log.follow stream into the run's LogSpool.
//
// Shape:  follow() is a task for as long as the run is; it asks the agent whenever its link is up and no stream is open, from where the files end, so that neither a lost
//         link nor another daemon doubles anything. drained() at the run's end reads what is still on the way.
//         A guest that writes faster than its rate is not read for a while: then its own bounded buffer runs over, and it counts what is lost.
// Errors: none: what is lost is in the log itself, and told as LogsLost: at once, then at most once a minute.
// Thread: the event thread.
#pragma once

#include "host/async/notification.hpp"
#include "host/daemon/run_host.hpp"
#include "host/logs/byte_rate.hpp"
#include "host/logs/masker.hpp"
#include "host/logs/spool.hpp"
#include "host/machine/vm_event.hpp"
#include "host/streams/guest_stream.hpp"
#include "shared/streams/chunk.hpp"
#include "shared/streams/control.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace vigil::daemon {

class RunLogs {
  public:
    struct Setup {
        InstanceId id;
        RunNumber run;
        streams::Dial dial;
        std::filesystem::path directory;
        std::vector<std::string> secrets;
    };
    RunLogs(RunHost& host, Setup setup, std::function<void(machine::LogsLost)> lost);
    RunLogs(const RunLogs&) = delete;
    RunLogs& operator=(const RunLogs&) = delete;

    boost::asio::awaitable<void> follow();
    /// The agent may be asked; saying so again changes nothing.
    void link_up();
    void link_lost() { link_is_up_ = false; }
    boost::asio::awaitable<void> drained(std::chrono::milliseconds limit);

  private:
    using Key = std::pair<std::string, logs::LogStream>;
    struct Input {
        logs::Masker masker;
        std::uint64_t end = 0;             // offset behind what has been fed
    };

    boost::asio::awaitable<bool> follow_once();
    boost::asio::awaitable<void> read_stream(streams::GuestStream stream);
    boost::asio::awaitable<void> pause(std::chrono::microseconds duration);
    std::string opening() const;
    /// False: the guest does not keep to what was agreed.
    bool take(const streams::Chunk& chunk);
    void take_bytes(const streams::LogPart& part, std::string_view bytes);
    void write(const Key& key, std::uint64_t offset, std::string_view bytes, UnixUs at);
    void flush_held();
    void flush_held_later();
    void note_lost(const std::string& service, const logs::Lost& lost);
    void tell_lost();

    RunHost& host_;
    Setup setup_;
    std::function<void(machine::LogsLost)> lost_;
    logs::LogSpool spool_;
    logs::ByteRate rate_;
    std::map<Key, Input> inputs_;
    std::optional<streams::LogPart> part_;     // announced; its chunk is next
    std::map<std::pair<std::string, std::string>, std::uint64_t> untold_;
    MonoUs told_us_ = 0, paused_us_ = 0;
    bool link_is_up_ = false, ending_ = false, refused_ = false, stream_is_open_ = false;
    async::Notification wanted_, stream_ended_;
    boost::asio::steady_timer pause_, hold_;
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace vigil::daemon
