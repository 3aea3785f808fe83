// Which code answers which request.
//
// Shape:  a route is a method, a pattern ("/v1/instances/{id}/start") and its answerer. Literal segments win over {parameters}; a trailing slash is ignored.
//         A last {name*} takes all segments that follow, joined by "/", also none.
//         An answerer may answer at once or keep the Reply and answer later, from the event thread.
// Errors: no pattern: 404; pattern with another method: 405 with Allow; an answerer that throws, or drops its Reply: 500 without internal text.
#pragma once

#include "host/http/byte_source.hpp"
#include "host/http/event_source.hpp"
#include "host/http/message.hpp"

#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace vigil::http {

using Answer = std::variant<Response, std::unique_ptr<EventSource>, ByteStream, Handover>;

/// The one chance to answer a request; copies share it, the first answer counts.
class Reply {
  public:
    explicit Reply(std::function<void(Answer)> deliver);
    void send(Response response) const;
    void stream(std::unique_ptr<EventSource> source) const;
    void stream(ByteStream bytes) const;
    void hand_over(Handover handover) const;

  private:
    struct Once;
    std::shared_ptr<Once> once_;
};

struct Route {
    Method method = Method::get;
    std::string pattern;
    std::function<void(const Request&, Reply)> answer;
};

class Router {
  public:
    explicit Router(std::vector<Route> routes);  // two routes of one method and shape are a bug: aborts
    void dispatch(Request request, const Reply& reply) const;
    const std::vector<Route>& routes() const { return routes_; }

  private:
    struct Match;
    Match find(Method method, const std::vector<std::string>& segments) const;

    std::vector<Route> routes_;
    std::vector<std::vector<std::string>> patterns_;  // routes_[i].pattern, split
};

}  // namespace vigil::http
