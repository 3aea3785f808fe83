#include "host/egress/tls_talk.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <utility>

namespace vigil::egress {

namespace asio = boost::asio;

namespace {

constexpr int tls_block_bytes = 16 * 1024;

struct FreeContext {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
struct FreeSession {
    void operator()(SSL* session) const { SSL_free(session); }
};

}  // namespace

struct TlsTalk::Session {
    std::unique_ptr<SSL_CTX, FreeContext> context{SSL_CTX_new(TLS_client_method())};
    std::unique_ptr<SSL, FreeSession> ssl{context ? SSL_new(context.get()) : nullptr};
    BIO* in = BIO_new(BIO_s_mem());    // the session's, once it is set
    BIO* out = BIO_new(BIO_s_mem());
};

TlsTalk::TlsTalk(streams::GuestPipe& pipe, std::string host, bool host_is_address) : pipe_(pipe), session_(std::make_unique<Session>()) {
    auto* const ssl = session_->ssl.get();
    if (ssl == nullptr) return;
    SSL_CTX_set_default_verify_paths(session_->context.get());
    SSL_set_bio(ssl, session_->in, session_->out);
    SSL_set_connect_state(ssl);
    SSL_set_verify(ssl, SSL_VERIFY_PEER, nullptr);
    if (host_is_address) {
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str());
        return;
    }
    SSL_set1_host(ssl, host.c_str());
    SSL_set_tlsext_host_name(ssl, host.c_str());
}

TlsTalk::~TlsTalk() = default;

Error TlsTalk::failure(int outcome) const {
    const auto* const ssl = session_->ssl.get();
    const long verified = SSL_get_verify_result(ssl);
    if (verified != X509_V_OK) return Error(Errc::protocol, std::string("its certificate is not accepted: ") + X509_verify_cert_error_string(verified));
    const auto code = ERR_get_error();
    const char* const reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    if (reason != nullptr) return Error(Errc::protocol, reason);
    return Error(Errc::protocol, SSL_get_error(ssl, outcome) == SSL_ERROR_ZERO_RETURN ? "it ended the session" : "the connection was closed in the middle");
}

/// What the library wants to say goes out.
asio::awaitable<Result<void>> TlsTalk::flush() {
    for (;;) {
        std::string block(tls_block_bytes, '\0');
        const int count = BIO_read(session_->out, block.data(), tls_block_bytes);
        if (count <= 0) co_return Result<void>();
        block.resize(static_cast<std::size_t>(count));
        auto written = co_await pipe_.write(std::move(block));
        if (!written) co_return written.error();
    }
}

/// False when the other side has ended.
asio::awaitable<Result<bool>> TlsTalk::fetch() {
    auto bytes = co_await pipe_.read();
    if (!bytes) co_return bytes.error();
    if (bytes->empty()) co_return false;
    BIO_write(session_->in, bytes->data(), static_cast<int>(bytes->size()));
    co_return true;
}

asio::awaitable<Result<void>> TlsTalk::handshake() {
    auto* const ssl = session_->ssl.get();
    if (ssl == nullptr) co_return Error(Errc::io, "the TLS library gives no session");
    for (;;) {
        ERR_clear_error();
        const int outcome = SSL_do_handshake(ssl);
        const bool wants_more = outcome != 1 && SSL_get_error(ssl, outcome) == SSL_ERROR_WANT_READ;
        const auto said = failure(outcome);
        auto flushed = co_await flush();   // also an alert
        if (outcome == 1) co_return flushed;
        if (!wants_more) co_return said;
        if (!flushed) co_return flushed;
        auto fetched = co_await fetch();
        if (!fetched) co_return fetched.error();
        if (!*fetched) co_return Error(Errc::protocol, "the connection was closed in the middle of the handshake");
    }
}

asio::awaitable<Result<void>> TlsTalk::write(std::string bytes) {
    const int outcome = SSL_write(session_->ssl.get(), bytes.data(), static_cast<int>(bytes.size()));
    if (outcome <= 0) co_return failure(outcome);
    auto flushed = co_await flush();
    co_return flushed;
}

asio::awaitable<Result<std::string>> TlsTalk::read() {
    auto* const ssl = session_->ssl.get();
    for (;;) {
        std::string block(tls_block_bytes, '\0');
        ERR_clear_error();
        const int count = SSL_read(ssl, block.data(), tls_block_bytes);
        if (count > 0) {
            block.resize(static_cast<std::size_t>(count));
            co_return block;
        }
        const int kind = SSL_get_error(ssl, count);
        if (kind == SSL_ERROR_ZERO_RETURN) co_return std::string();
        if (kind != SSL_ERROR_WANT_READ) co_return failure(count);
        auto fetched = co_await fetch();
        if (!fetched) co_return fetched.error();
        if (!*fetched) co_return std::string();
    }
}

std::string TlsTalk::facts() const {
    const auto* const ssl = session_->ssl.get();
    std::string text = SSL_get_version(ssl);
    const std::unique_ptr<X509, void (*)(X509*)> certificate(SSL_get1_peer_certificate(ssl), X509_free);
    if (!certificate) return text;
    char name[256] = {};
    X509_NAME_oneline(X509_get_subject_name(certificate.get()), name, sizeof name);
    return text + ", certificate of " + name;
}

}  // namespace vigil::egress
