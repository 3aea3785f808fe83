#include "host/egress/tls_watch.hpp"

#include <algorithm>

namespace vigil::egress {

namespace {

constexpr int max_records = 8;
constexpr unsigned char handshake = 22, alert_record = 21, close_notify = 0;

unsigned char byte_of(const std::string& text, std::size_t at) { return static_cast<unsigned char>(text[at]); }

}  // namespace

void TlsWatch::look(Records& records, std::string_view bytes) {
    while (!bytes.empty() && !records.over) {
        if (records.skip > 0) {
            const auto part = std::min(records.skip, bytes.size());
            records.skip -= part;
            bytes.remove_prefix(part);
            continue;
        }
        records.header += bytes.front();
        bytes.remove_prefix(1);
        if (records.header.size() < 5) continue;
        const auto type = byte_of(records.header, 0);
        const bool record = type >= 20 && type <= 23 && byte_of(records.header, 1) == 3;
        if (!record || (records.seen == 0 && type != handshake && type != alert_record)) {
            records.over = true;
            return;
        }
        const std::size_t length = byte_of(records.header, 3) * 256U + byte_of(records.header, 4);
        if (type == alert_record && length == 2) {
            if (records.header.size() < 7) continue;
            records.alert = byte_of(records.header, 6);
            records.over = true;
        }
        records.is_tls = true;
        records.skip = length;
        records.header.clear();
        if (++records.seen >= max_records) records.over = true;
    }
}

std::string TlsWatch::failure() const {
    if (!client_.is_tls) return "";
    if (server_.alert > close_notify) return "the server ended the handshake with alert " + std::to_string(server_.alert);
    if (client_.alert > close_notify) return "the client ended the handshake with alert " + std::to_string(client_.alert);
    if (!server_.is_tls && !server_.header.empty() && server_.over) return "the server does not speak TLS";
    return "";
}

}  // namespace vigil::egress
