/* usage: called OUT ADDRESSES PROGRAM [ARGUMENT...]: which of these functions (one hexadecimal address a line) a static program calls. A breakpoint on each, taken away at
   the first call; the program's own children are followed until their exec. On SIGUSR1, and when the program ends, the addresses called so far are written to OUT. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { base = 0x400000, span = 0x1000000 };
enum state { none, armed, called };

static unsigned char states[span], bytes[span];
static int memory;

static void on_signal(int number) { (void)number; }

static void write_called(const char *path) {
    FILE *file = fopen(path, "w");
    if (file == NULL)
        exit(1);
    for (unsigned long at = 0; at < span; ++at)
        if (states[at] == called)
            fprintf(file, "%lx\n", base + at);
    fclose(file);
}

static void put(unsigned long at, unsigned char byte) {
    if (pwrite(memory, &byte, 1, (off_t)(base + at)) != 1)
        exit(1);
}

static void arm(const char *addresses) {
    FILE *list = fopen(addresses, "r");
    unsigned long address;
    while (list != NULL && fscanf(list, "%lx", &address) == 1) {
        const unsigned long at = address - base;
        if (at >= span || states[at] != none || pread(memory, &bytes[at], 1, (off_t)address) != 1)
            continue;
        put(at, 0xcc);
        states[at] = armed;
    }
}

/* True when the stop was a breakpoint of ours: the instruction is put back and runs. */
static int passed_breakpoint(pid_t pid) {
    struct user_regs_struct registers;
    if (ptrace(PTRACE_GETREGS, pid, 0, &registers) != 0)
        return 0;
    const unsigned long at = registers.rip - 1 - base;
    if (at >= span || states[at] == none)
        return 0;
    if (states[at] == armed)
        put(at, bytes[at]);
    states[at] = called;
    --registers.rip;
    ptrace(PTRACE_SETREGS, pid, 0, &registers);
    return 1;
}

static void go_on(pid_t pid, int status, pid_t program) {
    const int event = status >> 16, number = WSTOPSIG(status);
    if (event == PTRACE_EVENT_EXEC && pid != program) {
        ptrace(PTRACE_DETACH, pid, 0, 0);
        return;
    }
    const int ours = event != 0 || number == SIGSTOP || (number == SIGTRAP && passed_breakpoint(pid));
    ptrace(PTRACE_CONT, pid, 0, (void *)(long)(ours ? 0 : number));
}

int main(int argc, char **argv) {
    if (argc < 4)
        return 2;
    const pid_t program = fork();
    if (program == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        execv(argv[3], argv + 3);
        _exit(127);
    }
    const struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &action, NULL);
    int status;
    waitpid(program, &status, 0);
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/mem", program);
    memory = open(path, O_RDWR | O_CLOEXEC);
    arm(argv[2]);
    ptrace(PTRACE_SETOPTIONS, program, 0, PTRACE_O_TRACECLONE | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEFORK | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL);
    ptrace(PTRACE_CONT, program, 0, 0);
    for (;;) {
        const pid_t pid = waitpid(-1, &status, __WALL);
        if (pid < 0 && errno != EINTR)
            break;
        if (pid < 0)
            write_called(argv[1]);
        else if (!WIFSTOPPED(status) && pid == program)
            break;
        else if (WIFSTOPPED(status))
            go_on(pid, status, program);
    }
    write_called(argv[1]);
    return 0;
}
