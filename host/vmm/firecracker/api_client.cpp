#include "host/vmm/firecracker/api_client.hpp"

#include "host/async/blocking.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <curl/curl.h>

#include <algorithm>
#include <cstdlib>

namespace vigil::vmm::firecracker {

namespace asio = boost::asio;

namespace {

constexpr std::size_t thread_count = 4;
constexpr long connect_ms = 2'000;
constexpr long answer_ms = 30'000;              // InstanceStart of a large VM on a busy host
constexpr std::chrono::milliseconds first_look{1}, longest_look{50};

struct Received {
  std::string bytes;
  bool too_long = false;
};

std::size_t take_bytes(char* data, std::size_t size, std::size_t count, void* target) {
  auto& received = *static_cast<Received*>(target);
  const std::size_t bytes = size * count;
  received.too_long = received.bytes.size() + bytes > max_answer_bytes;
  if (received.too_long) return 0;
  received.bytes.append(data, bytes);
  return bytes;
}

struct Exchange {
  CURL* curl = ::curl_easy_init();
  curl_slist* headers = nullptr;
  ~Exchange() {
    ::curl_slist_free_all(headers);
    ::curl_easy_cleanup(curl);
  }
  Exchange() = default;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
};

void describe_request(Exchange& exchange, const std::string& socket, const ControlRequest& request, Received& received) {
  CURL* const curl = exchange.curl;
  ::curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket.c_str());
  ::curl_easy_setopt(curl, CURLOPT_URL, ("http://localhost" + request.path).c_str());
  ::curl_easy_setopt(curl, CURLOPT_PROXY, "");
  ::curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);          // threads
  ::curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
  ::curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, answer_ms);
  ::curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
  ::curl_easy_setopt(curl, CURLOPT_WRITEDATA, &received);
  exchange.headers = ::curl_slist_append(exchange.headers, "Accept: application/json");
  if (request.method != "GET") {
    ::curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    ::curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, static_cast<long>(request.body.size()));
    ::curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.c_str());
    exchange.headers = ::curl_slist_append(exchange.headers, "Content-Type: application/json");
    exchange.headers = ::curl_slist_append(exchange.headers, "Expect:");   // its body goes with the head
  }
  ::curl_easy_setopt(curl, CURLOPT_HTTPHEADER, exchange.headers);
}

Errc code_of(CURLcode failure) { return failure == CURLE_OPERATION_TIMEDOUT ? Errc::timeout : Errc::unavailable; }

Result<Answer> perform(const std::string& socket, const ControlRequest& request) {
  Exchange exchange;
  if (exchange.curl == nullptr) return Error(Errc::io, "libcurl gives no handle");
  Received received;
  describe_request(exchange, socket, request, received);
  const std::string what = "Firecracker's API, " + request.method + " " + request.path + ": ";
  const CURLcode failure = ::curl_easy_perform(exchange.curl);
  if (received.too_long) return Error(Errc::limit, what + "an answer of more than 64 KiB");
  if (failure == CURLE_COULDNT_CONNECT) return Error(Errc::not_found, what + "nobody listens on " + socket);
  if (failure != CURLE_OK) return Error(code_of(failure), what + ::curl_easy_strerror(failure));
  Answer answer;
  ::curl_easy_getinfo(exchange.curl, CURLINFO_RESPONSE_CODE, &answer.status);
  answer.body = std::move(received.bytes);
  return answer;
}

}  // namespace

struct ApiThreads::Pool {
  asio::thread_pool threads{thread_count};
};

ApiThreads::ApiThreads() : pool_(std::make_unique<Pool>()) { ::curl_global_init(CURL_GLOBAL_DEFAULT); }
ApiThreads::~ApiThreads() { pool_->threads.join(); }

asio::awaitable<Result<Answer>> ApiClient::send(ControlRequest request) {
  const std::function<Result<Answer>()> work = [socket = socket_, request = std::move(request)] { return perform(socket, request); };
  auto answer = co_await async::run_blocking<Result<Answer>>(threads_.pool_->threads, work);
  if (!answer && answer.error().code() == Errc::not_found) co_return Error(Errc::unavailable, answer.error().message());
  co_return std::move(answer);
}

asio::awaitable<Result<Answer>> ApiClient::send_when_it_listens(ControlRequest request, std::chrono::milliseconds limit) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  const auto until = std::chrono::steady_clock::now() + limit;
  for (auto look = first_look;; look = std::min(look * 2, longest_look)) {
    const std::function<Result<Answer>()> work = [socket = socket_, request] { return perform(socket, request); };
    auto answer = co_await async::run_blocking<Result<Answer>>(threads_.pool_->threads, work);
    const bool nobody = !answer && answer.error().code() == Errc::not_found;
    if (!nobody) co_return std::move(answer);
    if (std::chrono::steady_clock::now() >= until)
      co_return Error(Errc::timeout, answer.error().message() + " within " + std::to_string(limit.count()) + " ms");
    timer.expires_after(look);
    co_await timer.async_wait(asio::use_awaitable);
  }
}

}  // namespace vigil::vmm::firecracker
