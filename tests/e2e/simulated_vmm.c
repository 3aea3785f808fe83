/* What the daemon's tests of itself run in place of a VMM and its vsock device, where no real one is: it takes their command lines, listens where they would,
   answers QMP as far as the daemon asks, and lives until it is told to quit. Nothing boots in it. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char greeting[] = "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}, \"package\": \"simulated\"}, \"capabilities\": []}}\r\n";

static void answer(int client, const char *line) {
    const char *id = strstr(line, "\"id\":");
    long number = id != NULL ? strtol(id + 5, NULL, 10) : 0;
    const char *value = strstr(line, "query-status") != NULL ? "{\"running\": true, \"status\": \"running\"}" : "{}";
    dprintf(client, "{\"return\": %s, \"id\": %ld}\r\n", value, number);
    if (strstr(line, "system_powerdown") != NULL || strstr(line, "\"quit\"") != NULL) {
        dprintf(client, "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 0}, \"event\": \"SHUTDOWN\", \"data\": {\"guest\": true, \"reason\": \"guest-shutdown\"}}\r\n");
        exit(0);
    }
}

static void speak_qmp(int listener) {
    fcntl(listener, F_SETFL, fcntl(listener, F_GETFL) & ~O_NONBLOCK);   /* it comes from an event loop */
    signal(SIGPIPE, SIG_IGN);                                           /* daemons go away as they like */
    for (;;) {
        int client = accept(listener, NULL, NULL);
        if (client < 0) exit(1);
        dprintf(client, "%s", greeting);
        FILE *lines = fdopen(client, "r");
        char line[4096];
        while (lines != NULL && fgets(line, sizeof line, lines) != NULL) answer(client, line);
        if (lines != NULL) fclose(lines);
    }
}

static void be_device(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 8) != 0) exit(1);
    for (;;) pause();
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; ++i) {
        const char *control = strstr(argv[i], "id=control,fd=");
        if (strcmp(argv[i], "--version") == 0) return printf("QEMU emulator version 7.2.22 (simulated)\n") < 0;
        if (strcmp(argv[i], "--socket") == 0 && i + 1 < argc) be_device(argv[i + 1]);
        if (control != NULL) {
            puts("[    0.000000] Linux version 6.12.0-simulated");
            fflush(stdout);
            speak_qmp(atoi(control + strlen("id=control,fd=")));
        }
    }
    return 2;
}
