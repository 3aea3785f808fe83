#include "host/desktop/server.hpp"

#include "host/desktop/head_rules.hpp"
#include "host/desktop/key_file.hpp"
#include "host/desktop/novnc_files.hpp"
#include "host/desktop/pages.hpp"
#include "host/desktop/view_stream.hpp"
#include "host/http1/head.hpp"

#include <spdlog/spdlog.h>
#include <boost/asio/this_coro.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>

namespace vigil::desktop {

namespace asio = boost::asio;
using http::Method;
using http::Reply;
using http::Request;

namespace {

constexpr std::string_view html = "text/html; charset=utf-8", script = "text/javascript; charset=utf-8", style = "text/css; charset=utf-8";

std::string header_or_empty(const Request& request, const std::string& name) { return request.header(name).value_or(""); }

/// Of the doorkeeper the target comes whole, of the router without its query.
Head head_of(const Request& request) {
  return {request.path.substr(0, request.path.find('?')), header_or_empty(request, "host"), header_or_empty(request, "origin"),
          header_or_empty(request, "sec-fetch-site"), header_or_empty(request, "sec-fetch-mode")};
}

/// Of a request that passed the doorkeeper.
InstanceId vm_at(const Request& request) {
  const auto vm = vm_of(head_of(request));
  const auto* const id = std::get_if<InstanceId>(&vm);
  return id != nullptr ? *id : InstanceId("");
}

http::Response text_at(const Request& request, std::string_view type, std::string_view body) {
  return page_response(200, std::string(type), std::string(body), header_or_empty(request, "host"));
}

std::string cookie_in(const Request& request) { return cookie_of(header_or_empty(request, "cookie"), cookie_name).value_or(""); }

}  // namespace

Server::Server(asio::io_context& io, ports::Guests& guests, events::EventBus& bus, const Clock& clock, ServerOptions options)
    : io_(io),
      guests_(guests),
      bus_(bus),
      clock_(clock),
      options_(std::move(options)),
      viewer_left_(io.get_executor()),
      tasks_(io.get_executor()) {}

Result<void> Server::listen() {
  if (options_.listen.empty()) return {};
  TRY(key, load_key(options_.key_file));
  admission_.emplace(clock_, std::move(key), options_.limits);
  novnc_ = read_novnc(options_.novnc_directory);
  http::Limits limits;
  limits.max_body_bytes = 0;
  limits.max_connections = limits.max_event_streams = options_.limits.max_connections;
  http_ = std::make_unique<http::Server>(
      io_, http::Router(routes()),
      http::ServerOptions{"", 0600, limits, options_.listen, [this](const Request& head) { return stand_at_door(head); }});
  TRY_VOID(http_->listen());
  address_ = http_->tcp_address();
  return {};
}

std::vector<http::Route> Server::routes() {
  std::vector<http::Route> routes = {
      {Method::get, "/", [this](const Request& request, const Reply& reply) { show_page(request, reply); }},
      {Method::get, "/page.js", [](const Request& request, const Reply& reply) { reply.send(text_at(request, script, page_js())); }},
      {Method::get, "/page.css", [](const Request& request, const Reply& reply) { reply.send(text_at(request, style, page_css())); }},
      {Method::get, "/view", [this](const Request& request, const Reply& reply) { stream_views(request, reply); }},
      {Method::get, "/rfb", [this](const Request& request, const Reply& reply) { open_viewer(request, reply); }}};
  for (const auto& each : novnc_)   // a map's nodes stay where they are
    routes.push_back({Method::get, "/novnc/" + each.first,
                      [&text = each.second](const Request& request, const Reply& reply) { reply.send(text_at(request, script, text)); }});
  return routes;
}

std::optional<http::Response> Server::stand_at_door(const Request& head) const {
  const auto vm = vm_of(head_of(head));
  if (const auto* const refusal = std::get_if<ports::Refusal>(&vm))
    return http::problem_response({refusal->status, refusal->code, refusal->title, refusal->detail});
  return std::nullopt;
}

Result<std::string> Server::page_of(const InstanceId& vm) const {
  if (!admission_)
    return Error(Errc::unavailable, "the daemon has no door for browsers; start vigild with --desktop-listen 127.0.0.1:PORT");
  return "http://" + vm.value() + ".localhost" + address_.substr(address_.rfind(':')) + "/";
}

Result<Invitation> Server::invite(const InstanceId& vm) {
  TRY(page, page_of(vm));
  return Invitation{page + "?ticket=" + admission_->make_ticket(vm), options_.limits.ticket_life,
                    view_of(guests_.state_of(vm), options_.limits.max_listed_services)};
}

/// The page itself holds nothing that is anybody's: who comes without a cookie learns from it what to type. (A link that was clicked elsewhere comes without it, too.)
void Server::show_page(const Request& request, const Reply& reply) {
  const auto vm = vm_at(request);
  const auto ticket = request.query_value("ticket");
  const auto host = header_or_empty(request, "host");
  if (!ticket) return reply.send(text_at(request, html, page_html()));
  auto response = page_response(303, "", "", host);
  response.headers.emplace_back("Location", "/");
  if (!admission_->refuse_cookie(vm, cookie_in(request)))
    return reply.send(std::move(response));  // it is in already: the ticket is not touched
  auto redeemed = admission_->redeem(vm, *ticket);
  if (const auto* const closing = std::get_if<Closing>(&redeemed)) return reply.send(refusal_page(*closing, host));
  response.headers.emplace_back("Set-Cookie", std::string(cookie_name) + "=" + std::get<std::string>(redeemed) + "; Path=/; Max-Age=" +
                                                  std::to_string(options_.limits.cookie_life.count()) + "; HttpOnly; SameSite=Strict");
  spdlog::info("desktop.let_in vm={} peer={}", vm.value(), request.peer.address);
  reply.send(std::move(response));
}

void Server::stream_views(const Request& request, const Reply& reply) {
  const auto vm = vm_at(request);
  if (const auto closing = admission_->refuse_cookie(vm, cookie_in(request)))
    return reply.send(http::problem_response({401, "denied", "not authorised", closing->reason}));
  reply.stream(std::make_unique<ViewStream>(guests_, bus_, vm, options_.limits.max_listed_services));
}

/// A browser has a cookie; a program may come with the ticket itself.
std::optional<Closing> Server::admit_viewer(const InstanceId& vm, const Request& request) {
  auto closing = admission_->refuse_cookie(vm, cookie_in(request));
  if (const auto ticket = request.query_value("ticket"); closing && ticket) {
    const auto redeemed = admission_->redeem(vm, *ticket);
    if (const auto* const refused = std::get_if<Closing>(&redeemed)) return *refused;
    closing.reset();
  }
  if (closing) return closing;
  const auto of_vm = static_cast<std::size_t>(std::ranges::count_if(viewers_, [&](const auto& each) { return each->vm() == vm; }));
  if (of_vm >= options_.limits.max_viewers_of_vm || viewers_.size() >= options_.limits.max_viewers)
    return make_closing(CloseCode::too_many_viewers,
                        "it has " + std::to_string(of_vm) + " viewers, which is as many as it may; close one of their pages");
  return std::nullopt;
}

void Server::open_viewer(const Request& request, const Reply& reply) {
  const bool asks_for_it = http1::equals_ignoring_case(header_or_empty(request, "upgrade"), "websocket");
  if (!asks_for_it)
    return reply.send(http::problem_response({426, "invalid", "this is a WebSocket", "ask for it with Upgrade: websocket"}));
  const auto vm = vm_at(request);
  reply.hand_over({"", [this, vm, request](UniqueFd client, const std::string& sent) {
                     if (!sent.empty()) return;  // it speaks before it was answered: that is no WebSocket
                     const int on = 1;
                     ::setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                     auto closing = admit_viewer(vm, request);
                     if (closing && counters_.parting >= options_.limits.max_parting) return void(++counters_.turned_away);
                     const bool is_let_in = !closing;
                     auto viewer = std::make_shared<Viewer>(io_.get_executor(), Bridge{guests_, bus_, options_.limits, counters_},
                                                            std::move(client), request, vm, std::move(closing));
                     if (is_let_in) viewers_.push_back(viewer);
                     if (!is_let_in) ++counters_.parting;
                     tasks_.spawn("desktop.viewer", [this, viewer, is_let_in] { return is_let_in ? serve(viewer) : part(viewer); });
                   }});
}

asio::awaitable<void> Server::part(std::shared_ptr<Viewer> viewer) {
  struct Leave {
    Counters& counters;
    ~Leave() { --counters.parting; }
  } leave{counters_};
  co_await viewer->run();
}

asio::awaitable<void> Server::serve(std::shared_ptr<Viewer> viewer) {
  struct Leave {
    Server& server;
    std::shared_ptr<Viewer> viewer;
    ~Leave() {
      server.viewers_.remove(viewer);
      server.viewer_left_.notify();
    }
  } leave{*this, viewer};
  co_await viewer->run();
}

asio::awaitable<void> Server::stop() {
  if (http_) co_await http_->stop();
  const auto closing =
      make_closing(CloseCode::daemon_stopping, "the daemon is stopping; the VM goes on, and this page comes back with the daemon");
  for (const auto& viewer : viewers_) viewer->finish(closing);
  // Each bounds its own farewell; one that is still dialling its guest is not waited for.
  const auto until = std::chrono::steady_clock::now() + 2 * options_.limits.farewell;
  for (auto left = until - std::chrono::steady_clock::now(); !viewers_.empty() && left.count() > 0;
       left = until - std::chrono::steady_clock::now())
    co_await viewer_left_.wait_for(std::chrono::ceil<std::chrono::milliseconds>(left));
  co_await tasks_.stop();
}

}  // namespace vigil::desktop
