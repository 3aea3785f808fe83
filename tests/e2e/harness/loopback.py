"""Small servers on the host's loopback, for what VMs meet outside."""


def each_client(listener, answer):
    """answer(client) for one after the other, until the listener is closed."""
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        with client:
            try:
                answer(client)
            except OSError:
                pass   # it has gone: the next


def echo(listener):
    """Gives back what one client sends, to the end."""
    def give_back(client):
        while block := client.recv(65536):
            client.sendall(block)
    each_client(listener, give_back)
