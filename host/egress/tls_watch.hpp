// Looks on while a tunnel begins: a TLS handshake that either side ends with an alert, or that the server answers with something else, has failed.
//
// Shape:  fed with what passes; remembers a few bytes a side and stops looking after the first records. From TLS 1.3 on a client's alert is encrypted and not seen.
// Source: RFC 8446 5.1, 6 (record type 21 is an alert, 22 a handshake).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace vigil::egress {

class TlsWatch {
  public:
    void from_client(std::string_view bytes) { look(client_, bytes); }
    void from_server(std::string_view bytes) { look(server_, bytes); }
    /// At the end of the tunnel, or at any time: why the handshake failed; empty: it did not, or it is not TLS.
    std::string failure() const;

  private:
    /// One direction's records, by their headers alone.
    struct Records {
        std::string header;         // of the record that comes, then the first two bytes of an alert
        std::size_t skip = 0;       // of the record's body
        int seen = 0;               // whole headers
        bool is_tls = false, over = false;
        int alert = -1;             // its description
    };
    static void look(Records& records, std::string_view bytes);

    Records client_, server_;
};

}  // namespace vigil::egress
