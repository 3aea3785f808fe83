"""A server of the tests: threads, TLS when it has a context, and notes of what it was asked."""
import http.server
import sys
import threading


class TlsServer(http.server.ThreadingHTTPServer):
    """Serves from start() to close(). `notes` says of each request: method, path, and why it was refused ("": it was not); `broken`: how connections ended that did not come so far."""
    daemon_threads = True

    def __init__(self, address, handler, context=None):
        super().__init__(address, handler)
        self.notes, self.broken, self.lock, self.context = [], [], threading.Lock(), context
        self.thread = threading.Thread(target=self.serve_forever, daemon=True)

    def finish_request(self, request, client_address):
        """In the connection's own thread: a client that does not shake hands holds up nobody."""
        request.settimeout(60)
        if self.context is not None:
            request = self.context.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request, client_address):
        """A client that went away, or that does not trust us."""
        with self.lock:
            self.broken.append(repr(sys.exc_info()[1]))

    def note(self, method, path, refusal):
        with self.lock:
            self.notes.append((method, path, refusal))

    def start(self):
        self.thread.start()
        return self

    def close(self):
        self.shutdown()
        self.server_close()
        self.thread.join()
