/* Leaves so many orphans behind as its argument says, each of which ends at once: the machine's first process buries them. Then says so and waits. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
    int count = argc > 1 ? atoi(argv[1]) : 1;
    for (int n = 0; n < count; ++n) {
        pid_t child = fork();
        if (child < 0)
            return 1;
        if (child == 0)
            _exit(fork() < 0);
        if (waitpid(child, NULL, 0) != child)
            return 1;
    }
    puts("left");
    fflush(stdout);
    for (;;)
        pause();
}
