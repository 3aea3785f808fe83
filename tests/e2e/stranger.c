/* Dials the streams port of its own VM through vsock loopback so many times as its argument says. Prints for each what came of it: `closed` without a byte, `heard`, or why not.
   It is for the inside of a VM only, and ends when it is anywhere else. */
#include <errno.h>
#include <linux/vm_sockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static int in_a_vm_of_ours(void) {
    char line[4096] = "";
    FILE *file = fopen("/proc/cmdline", "r");
    int found = file && fgets(line, sizeof line, file) && strstr(line, "vigil.vm=");
    if (file)
        fclose(file);
    return found;
}

static void dial(void) {
    static const char asks[] = "\x26\0\0\0{\"v\":1,\"op\":\"exec\",\"argv\":[\"/bin/id\"]}";
    struct sockaddr_vm to = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_LOCAL, .svm_port = 5253};
    struct timeval patience = {.tv_sec = 60};
    char answer[256];
    int fd = socket(AF_VSOCK, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        printf("not connected: %s\n", strerror(errno));
    } else {
        if (send(fd, asks, sizeof asks - 1, MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET)
            printf("not asked: %s\n", strerror(errno));
        ssize_t got = recv(fd, answer, sizeof answer, 0);
        puts(got > 0 ? "heard" : got == 0 || errno == ECONNRESET ? "closed" : strerror(errno));
    }
    close(fd);
}

int main(int argc, char **argv) {
    if (!in_a_vm_of_ours())
        return 1;
    for (int n = argc > 1 ? atoi(argv[1]) : 1; n > 0; --n)
        dial();
    return 0;
}
