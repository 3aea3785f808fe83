// The door to desktops for browsers: a loopback port of its own, where each VM is an origin of its own. The API is not served here, nor are ports of VMs.
//
// Shape:  invite() makes an address that lets one browser in, once; listen() opens the door when there is one; stop() tells every viewer why, and waits for their ends.
// Errors: listen(): Errc::invalid for an address that is not ADDRESS:PORT or not of the loopback, or for a key file that others may read; Errc::conflict when it is
//         taken. invite(): Errc::unavailable when the daemon has no such door.
// Thread: the event thread.
#pragma once

#include "host/async/notification.hpp"
#include "host/async/task_group.hpp"
#include "host/desktop/admission.hpp"
#include "host/desktop/view.hpp"
#include "host/desktop/viewer.hpp"
#include "host/http/server.hpp"
#include "shared/base/clock.hpp"

#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace vigil::desktop {

struct ServerOptions {
  std::string listen;  // "127.0.0.1:6090", "[::1]:0"; empty: no door
  std::string key_file;  // of the cookies
  std::string novnc_directory;
  Limits limits{};
};

struct Invitation {
  std::string url;
  std::chrono::seconds life{0};
  View view;  // as it is now
};

class Server {
public:
  Server(boost::asio::io_context& io, ports::Guests& guests, events::EventBus& bus, const Clock& clock, ServerOptions options);
  Result<void> listen();
  /// As a client writes it, with the port that was given; empty: there is no door.
  const std::string& address() const { return address_; }
  Result<Invitation> invite(const InstanceId& vm);
  /// The address of the page, for who has been let in already. Errors as invite().
  Result<std::string> page_of(const InstanceId& vm) const;
  const Counters& counters() const { return counters_; }
  bool has_novnc() const { return !novnc_.empty(); }
  boost::asio::awaitable<void> stop();

private:
  std::vector<http::Route> routes();
  std::optional<http::Response> stand_at_door(const http::Request& head) const;
  void show_page(const http::Request& request, const http::Reply& reply);
  void stream_views(const http::Request& request, const http::Reply& reply);
  void open_viewer(const http::Request& request, const http::Reply& reply);
  std::optional<Closing> admit_viewer(const InstanceId& vm, const http::Request& request);
  boost::asio::awaitable<void> serve(std::shared_ptr<Viewer> viewer);
  boost::asio::awaitable<void> part(std::shared_ptr<Viewer> viewer);

  boost::asio::io_context& io_;
  ports::Guests& guests_;
  events::EventBus& bus_;
  const Clock& clock_;
  ServerOptions options_;
  Counters counters_;
  std::map<std::string, std::string> novnc_;
  std::optional<Admission> admission_;
  std::unique_ptr<http::Server> http_;
  std::string address_;
  std::list<std::shared_ptr<Viewer>> viewers_;
  async::Notification viewer_left_;
  async::TaskGroup tasks_;
};

}  // namespace vigil::desktop
