/* The supervised program: appends "NAME PID NANOSECONDS" to the file that RECORDS names, says ready on descriptor 3 when it has one
   to say it on, and waits for its end. NAME is its first argument, or its directory's name.
   Built with -nostdlib -DFREESTANDING this is its first instruction: a C library's start asks the processor what it can do, which in a VM costs a
   millisecond of exits to the hypervisor, whoever supervises. Built plainly it is an ordinary program's main(). x86-64 only. */
#include <fcntl.h>
#include <sys/syscall.h>
#include <time.h>

static long call(long number, long a, long b, long c) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}

static char *put_text(char *at, const char *text) {
    while (*text)
        *at++ = *text++;
    return at;
}

static char *put_number(char *at, unsigned long number, int least_digits) {
    char digits[24];
    int count = 0;
    for (; number || count < least_digits; number /= 10)
        digits[count++] = '0' + number % 10;
    while (count)
        *at++ = digits[--count];
    return at;
}

static const char *value_of(char **environment, const char *name) {
    for (; *environment; environment++) {
        const char *entry = *environment, *wanted = name;
        while (*wanted && *entry == *wanted)
            entry++, wanted++;
        if (!*wanted && *entry == '=')
            return entry + 1;
    }
    return 0;
}

static const char *base_of(const char *path) {
    const char *base = path;
    for (; *path; path++)
        if (*path == '/')
            base = path + 1;
    return base;
}

static int serve(int argc, char **argv, char **environment) {
    struct timespec now;
    char line[400], here[300] = "";
    const char *records = value_of(environment, "RECORDS");
    call(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&now, 0);
    if (!records || (argc < 2 && call(SYS_getcwd, (long)here, sizeof here, 0) < 0))
        return 1;
    const char *name = argc > 1 ? argv[1] : base_of(here);
    char *end = put_text(line, name);
    *end++ = ' ';
    end = put_number(end, call(SYS_getpid, 0, 0, 0), 1);
    *end++ = ' ';
    end = put_number(put_number(end, now.tv_sec, 1), now.tv_nsec, 9);
    *end++ = '\n';
    long file = call(SYS_open, (long)records, O_WRONLY | O_APPEND | O_CLOEXEC, 0);
    if (file < 0 || call(SYS_write, file, (long)line, end - line) != end - line)
        return 1;
    if (argc > 2 && argv[2][0] == 'r' && call(SYS_write, 3, (long)"\n", 1) != 1)
        return 1;
    for (;;)
        call(SYS_pause, 0, 0, 0);
}

#ifdef FREESTANDING
__asm__(".globl _start\n_start: mov %rsp, %rdi\nand $-16, %rsp\ncall begin\n");

__attribute__((used)) static void begin(long *stack) {
    char **argv = (char **)(stack + 1);
    call(SYS_exit_group, serve(*stack, argv, argv + *stack + 1), 0, 0);
}
#else
int main(int argc, char **argv, char **environment) { return serve(argc, argv, environment); }
#endif
