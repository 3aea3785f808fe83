// A TLS client over a connection inside a VM: the host speaks as a program in the VM would, certificate checked against the host's own authorities.
//
// Errors: Errc::protocol with what the library or the certificate's check says; those of the pipe.
// Source: OpenSSL's memory BIOs (SSL_set_bio(3)).
#pragma once

#include "host/streams/guest_pipe.hpp"

#include <memory>
#include <string>

namespace vigil::egress {

class TlsTalk {
  public:
    TlsTalk(streams::GuestPipe& pipe, std::string host, bool host_is_address);
    ~TlsTalk();
    boost::asio::awaitable<Result<void>> handshake();
    boost::asio::awaitable<Result<void>> write(std::string bytes);
    /// Empty at the end.
    boost::asio::awaitable<Result<std::string>> read();
    /// "TLSv1.3, certificate of CN = example.com"
    std::string facts() const;

  private:
    struct Session;   // keeps OpenSSL out of this header
    boost::asio::awaitable<Result<void>> flush();
    boost::asio::awaitable<Result<bool>> fetch();
    Error failure(int outcome) const;

    streams::GuestPipe& pipe_;
    std::unique_ptr<Session> session_;
};

}  // namespace vigil::egress
