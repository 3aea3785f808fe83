#include "host/cli/client.hpp"

#include "host/cli/event_parser.hpp"
#include "shared/json/json.hpp"

#include <curl/curl.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <string_view>
#include <utility>

namespace vigil::cli {

using nlohmann::json;

namespace {

constexpr std::string_view stream_ended = "the daemon ended the event stream";
constexpr JsonLimits answer_limits{.max_bytes = 64 << 20, .max_depth = 32, .max_values = 5'000'000};

std::size_t append(char* data, std::size_t size, std::size_t count, void* target) {
  static_cast<std::string*>(target)->append(data, size * count);
  return size * count;
}

}  // namespace

bool is_end_of_stream(const Result<void>& followed) { return !followed && followed.error().message().ends_with(stream_ended); }

Error problem_error(long status, const std::string& body) {
  const auto code = status == 404 ? Errc::not_found : status == 409 ? Errc::conflict : status == 400 ? Errc::invalid : status == 403 || status == 401 ? Errc::denied : status == 503 ? Errc::unavailable : Errc::io;
  if (const auto document = parse_json(body)) {
    const auto detail = try_read_string(*document, "detail", 1 << 16);
    if (detail && *detail) return Error(code, **detail);
    const auto title = try_read_string(*document, "title", 1 << 16);
    if (title && *title) return Error(code, **title);
  }
  return Error(code, "the daemon answered " + std::to_string(status));
}

struct Client::Handle {
  CURL* curl = curl_easy_init();
  curl_slist* headers = nullptr;
  ~Handle() {
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
  }
  void add_header(const std::string& line) {
    if (!line.empty()) headers = curl_slist_append(headers, line.c_str());
  }
  /// Ready for a request of that path; headers are those that are added from here on.
  void aim(const DaemonAddress& daemon, const std::string& path) {
    curl_slist_free_all(std::exchange(headers, nullptr));
    curl_easy_reset(curl);
    if (daemon.api.empty()) curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, daemon.socket.c_str());
    curl_easy_setopt(curl, CURLOPT_URL, daemon.url(path).c_str());
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    add_header(daemon.authorization());
  }
  CURLcode perform() {
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    return curl_easy_perform(curl);
  }
};

Client::Client(DaemonAddress daemon) : daemon_(std::move(daemon)), handle_(std::make_unique<Handle>()) {}
Client::~Client() = default;

Result<std::string> Client::request(const char* method, const std::string& path, const std::string* body) {
  auto* const curl = handle_->curl;
  std::string answer;
  handle_->aim(daemon_, path);
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, append);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
  if (body != nullptr) {
    handle_->add_header("Content-Type: application/json");
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body->c_str());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, static_cast<long>(body->size()));
  }
  const auto done = handle_->perform();
  if (done == CURLE_COULDNT_CONNECT) return Error(Errc::unavailable, "no daemon serves " + daemon_.name());
  if (done != CURLE_OK) return Error(Errc::io, std::string("the daemon broke off: ") + curl_easy_strerror(done));
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  if (status >= 400) return problem_error(status, answer);
  return answer;
}

Result<json> Client::get(const std::string& path) {
  TRY(answer, request("GET", path, nullptr));
  return parse_json(answer, answer_limits);
}

Result<json> Client::post(const std::string& path, const json& body) {
  const auto text = dump_json(body);
  TRY(answer, request("POST", path, &text));
  if (answer.empty()) return json(nullptr);
  return parse_json(answer, answer_limits);
}

Result<void> Client::remove(const std::string& path) {
  TRY_VOID(request("DELETE", path, nullptr));
  return {};
}

Result<std::string> Client::bytes(const std::string& path) { return request("GET", path, nullptr); }

namespace {

struct Following {
  CURL* curl = nullptr;
  EventParser parser;
  const std::function<bool(const StreamedEvent&)>* on_event = nullptr;
  std::string refused;        // the body of an answer that is no stream
  bool enough = false;
};

std::size_t take_stream(char* data, std::size_t size, std::size_t count, void* target) {
  auto& following = *static_cast<Following*>(target);
  const std::string_view bytes(data, size * count);
  long status = 0;
  curl_easy_getinfo(following.curl, CURLINFO_RESPONSE_CODE, &status);
  if (status != 200) {
    following.refused.append(bytes);
    return bytes.size();
  }
  for (const auto& event : following.parser.feed(bytes)) {
    if ((*following.on_event)(event)) continue;
    following.enough = true;
    return 0;                 // ends the transfer
  }
  return bytes.size();
}

}  // namespace

Result<void> Client::follow(const std::string& path, const std::function<bool(const StreamedEvent&)>& on_event) {
  Handle stream;
  Following following{.curl = stream.curl, .parser = {}, .on_event = &on_event, .refused = {}};
  stream.aim(daemon_, path);
  curl_easy_setopt(stream.curl, CURLOPT_WRITEFUNCTION, take_stream);
  curl_easy_setopt(stream.curl, CURLOPT_WRITEDATA, &following);
  const auto done = stream.perform();
  if (following.enough) return {};
  if (done == CURLE_COULDNT_CONNECT) return Error(Errc::unavailable, "no daemon serves " + daemon_.name());
  long status = 0;
  curl_easy_getinfo(stream.curl, CURLINFO_RESPONSE_CODE, &status);
  if (status >= 400) return problem_error(status, following.refused);
  return Error(Errc::unavailable, std::string(stream_ended));
}

std::string segment(std::string_view text) {
  std::string encoded;
  constexpr char digits[] = "0123456789ABCDEF";
  for (const char byte : text) {
    const auto value = static_cast<unsigned char>(byte);
    const bool plain = (value >= '0' && value <= '9') || (value >= 'a' && value <= 'z') || (value >= 'A' && value <= 'Z') || byte == '-' ||
                       byte == '.' || byte == '_' || byte == '~' || byte == '@';
    if (plain) {
      encoded += byte;
    } else {
      encoded += '%';
      encoded += digits[value >> 4];
      encoded += digits[value & 15];
    }
  }
  return encoded;
}

}  // namespace vigil::cli
