"""What every end-to-end test needs: a daemon of its own, a client, the event stream, variants of an image."""
