// A WebSocket server for tests (RFC 6455), static, in a VM: ws_echo PORT gives back every message; ws_echo PORT mute takes connections and never says a word.
//
// One process, poll(): hundreds of connections cost it nothing. A client that breaks the protocol (no key, an unmasked frame) is closed, so that a relay that
// bends bytes is noticed. Messages up to MAX bytes; ping is answered, close is answered and ends.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_CLIENTS = 1024, MAX = 70000 };

struct client {
    size_t size;
    int upgraded;
    unsigned char bytes[MAX];
};

static struct pollfd polls[MAX_CLIENTS + 1];
static struct client *clients[MAX_CLIENTS + 1];
static int count = 1;

static uint32_t rotate(uint32_t value, int by) { return value << by | value >> (32 - by); }

static void sha1_block(uint32_t h[5], const unsigned char *block) {
    uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (int i = 0; i < 16; i++) w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (int i = 16; i < 80; i++) w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 80; i++) {
        const uint32_t f = i < 20 ? (b & c) | (~b & d) : i < 40 || i >= 60 ? b ^ c ^ d : (b & c) | (b & d) | (c & d);
        const uint32_t k = i < 20 ? 0x5a827999 : i < 40 ? 0x6ed9eba1 : i < 60 ? 0x8f1bbcdc : 0xca62c1d6;
        const uint32_t next = rotate(a, 5) + f + e + k + w[i];
        e = d, d = c, c = rotate(b, 30), b = a, a = next;
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
}

/// Of a text that fits, padded, into two blocks.
static void sha1(const char *text, unsigned char digest[20]) {
    uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    unsigned char blocks[128] = {0};
    const size_t size = strlen(text), total = size + 9 <= 64 ? 64 : 128;
    memcpy(blocks, text, size);
    blocks[size] = 0x80;
    for (int i = 0; i < 4; i++) blocks[total - 1 - i] = (unsigned char)(size * 8 >> (8 * i));
    for (size_t at = 0; at < total; at += 64) sha1_block(h, blocks + at);
    for (int i = 0; i < 20; i++) digest[i] = (unsigned char)(h[i / 4] >> (24 - 8 * (i % 4)));
}

static void accept_key(const char *key, char out[29]) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char text[80];
    unsigned char digest[21] = {0};
    snprintf(text, sizeof text, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    sha1(text, digest);
    for (int i = 0; i < 7; i++) {
        const uint32_t three = (uint32_t)digest[3 * i] << 16 | (uint32_t)digest[3 * i + 1] << 8 | digest[3 * i + 2];
        for (int j = 0; j < 4; j++) out[4 * i + j] = letters[three >> (18 - 6 * j) & 63];
    }
    out[27] = '=', out[28] = 0;
}

/// Waits for a client that does not read: fine for a test.
static int send_all(int fd, const void *bytes, size_t size) {
    for (const char *at = bytes; size > 0;) {
        const ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return 0;
        at += sent, size -= (size_t)sent;
    }
    return 1;
}

static int upgrade(int fd, struct client *c) {
    char *const end = memmem(c->bytes, c->size, "\r\n\r\n", 4), accept[29], answer[200];
    if (end == NULL) return c->size < 8192;
    *end = 0;
    const char *const key = strcasestr((char *)c->bytes, "\r\nsec-websocket-key: ");
    if (key == NULL || strlen(key) < 45) return 0;
    accept_key(key + 21, accept);
    const int size = snprintf(answer, sizeof answer, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept);
    const size_t used = (size_t)(end + 4 - (char *)c->bytes);
    memmove(c->bytes, end + 4, c->size -= used);
    c->upgraded = 1;
    return send_all(fd, answer, (size_t)size);
}

/// 1: a frame was answered; 0: more is needed; -1: the end.
static int answer_frame(int fd, struct client *c) {
    unsigned char *const b = c->bytes, head[4] = {0};
    if (c->size < 2) return 0;
    size_t at = 2, length = b[1] & 0x7f;
    if (!(b[1] & 0x80) || length == 127) return -1;
    if (length == 126) {
        if (c->size < 4) return 0;
        length = (size_t)b[2] << 8 | b[3], at = 4;
    }
    if (c->size < at + 4 + length) return 0;
    const unsigned char *const mask = b + at;
    unsigned char *const text = b + at + 4;
    for (size_t i = 0; i < length; i++) text[i] ^= mask[i % 4];
    const int opcode = b[0] & 15;
    head[0] = opcode == 9 ? 0x8a : b[0];
    head[1] = length < 126 ? (unsigned char)length : 126;
    head[2] = (unsigned char)(length >> 8), head[3] = (unsigned char)length;
    const int sent = send_all(fd, head, length < 126 ? 2 : 4) && send_all(fd, text, length);
    memmove(b, text + length, c->size -= at + 4 + length);
    return sent && opcode != 8 ? 1 : -1;
}

static int serve(int fd, struct client *c) {
    const ssize_t got = recv(fd, c->bytes + c->size, sizeof c->bytes - c->size, 0);
    if (got <= 0) return 0;
    c->size += (size_t)got;
    if (!c->upgraded && !upgrade(fd, c)) return 0;
    int outcome = c->upgraded;
    while (outcome == 1) outcome = answer_frame(fd, c);
    return outcome == 0;
}

static void take_client(int fd) {
    if (fd < 0) return;
    if (count > MAX_CLIENTS || (clients[count] = calloc(1, sizeof(struct client))) == NULL) {
        close(fd);
        return;
    }
    polls[count++] = (struct pollfd){fd, POLLIN, 0};
}

int main(int argc, char **argv) {
    const int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1, mute = argc > 2 && strcmp(argv[2], "mute") == 0;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 9002)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 512) != 0) return perror("ws_echo"), 1;
    polls[0] = (struct pollfd){listener, POLLIN, 0};
    while (poll(polls, (nfds_t)count, -1) >= 0 || errno == EINTR) {
        if (polls[0].revents != 0) take_client(accept(listener, NULL, NULL));
        for (int i = 1; i < count && !mute; i++) {
            if (polls[i].revents == 0 || serve(polls[i].fd, clients[i])) continue;
            close(polls[i].fd);
            free(clients[i]);
            count--;
            polls[i] = polls[count], clients[i--] = clients[count];
        }
        if (mute) for (int i = 1; i < count; i++) polls[i].events = 0;
    }
    return 1;
}
