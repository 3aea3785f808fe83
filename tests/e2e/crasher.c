// Crashes as it is told to: what tests/e2e/core_test.py puts into a VM, and tests/unit/guest/core_dump takes real cores from. A function that a trace must
// name is never inlined.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NAMED __attribute__((noinline, noclone, used))

static volatile int zero;
static int *volatile nowhere = (int *)0x10;
static void (*volatile no_function)(void);

NAMED static int write_nowhere(void) { *nowhere = 1; return *nowhere; }
NAMED static int give_up(void) { abort(); }
NAMED static int divide_by_zero(void) { return 7 / zero; }
NAMED static int run_nonsense(void) { __asm__ volatile("ud2"); return 0; }
NAMED static int call_nothing(void) { no_function(); return zero; }

NAMED static int read_past_the_file(void) {
  FILE *empty = tmpfile();
  volatile char *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fileno(empty), 0);
  return page[0];
}

NAMED static int dig_deeper(int depth) {
  volatile char ballast[128];
  ballast[0] = (char)depth;
  return dig_deeper(depth + 1) + ballast[0];
}

/// A program that changes its user is dumped for root alone, if at all.
NAMED static int crash_as_another_user(void) {
  if (setgid(65534) != 0 || setuid(65534) != 0) return 64;
  return write_nowhere();
}

NAMED static int lose_the_stack(void) { __asm__ volatile("mov $0x4242424242, %%rsp; mov %%rsp, %%rbp; ud2" ::: "memory"); return 0; }

/// Runs into a file that looks like a program and is none: this one, with bytes changed everywhere but in its first page.
NAMED static int run_a_broken_file(unsigned seed) {
  struct stat status;
  const int own = open("/proc/self/exe", O_RDONLY);
  if (own < 0 || fstat(own, &status) != 0) return 64;
  const size_t size = (size_t)status.st_size;
  char path[] = "/tmp/broken-XXXXXX";
  const int file = mkstemp(path);
  char *const bytes = malloc(size);
  if (file < 0 || read(own, bytes, size) != status.st_size) return 64;
  srand(seed);
  for (size_t i = 0; i < size / 50; ++i) bytes[(seed % 2 ? 64 : 4096) + (size_t)rand() % (size - 4096)] = (char)rand();
  memcpy(bytes + 4096, "\x0f\x0b", 2);   // ud2
  if (write(file, bytes, size) != status.st_size || fchmod(file, 0755) != 0) return 64;
  char *const code = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);
  unlink(path);
  ((void (*)(void))(code + 4096))();
  return zero;
}

NAMED static int sleep_for_ever(void) { for (;;) pause(); }

NAMED static void *idle_worker(void *barrier) {
  prctl(PR_SET_NAME, "idle-worker");
  pthread_barrier_wait(barrier);
  sleep_for_ever();
  return NULL;
}

NAMED static int crash_among_threads(void) {
  pthread_barrier_t barrier;
  pthread_t threads[3];
  pthread_barrier_init(&barrier, NULL, 4);
  for (int i = 0; i < 3; ++i) pthread_create(&threads[i], NULL, idle_worker, &barrier);
  pthread_barrier_wait(&barrier);
  return write_nowhere();
}

NAMED static int crash_as_child(int count) {
  for (int i = 0; i < count; ++i)
    if (fork() == 0) return write_nowhere();
  while (wait(NULL) > 0) {}
  puts("all children are dead");
  fflush(stdout);
  return sleep_for_ever();
}

static long long now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

/// From the faulty instruction to the parent's waitpid, with a core dump and without one (a limit of 1 forbids it).
NAMED static int time_of_dying(size_t mib, rlim_t core_limit) {
  long long *const crashed = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (fork() == 0) {
    const struct rlimit limit = {core_limit, core_limit};
    setrlimit(RLIMIT_CORE, &limit);
    memset(malloc(mib << 20), 1, mib << 20);
    *crashed = now_us();
    return write_nowhere();
  }
  wait(NULL);
  return (int)(now_us() - *crashed);
}

NAMED static int measure(void) {
  const size_t sizes[] = {1, 64};
  for (int i = 0; i < 2; ++i) {
    int with = 1 << 30, without = 1 << 30;
    for (int turn = 0; turn < 5; ++turn) {
      const int one = time_of_dying(sizes[i], 0), other = time_of_dying(sizes[i], 1);
      if (one < with) with = one;
      if (other < without) without = other;
    }
    printf("%zu MiB: %d us with a trace, %d us without\n", sizes[i], with, without);
  }
  return 0;
}

NAMED static int crash_in_broken_files(void) {
  for (unsigned seed = 0; seed < 12; ++seed) {
    if (fork() == 0) return run_a_broken_file(seed);
    wait(NULL);
  }
  return sleep_for_ever();
}

NAMED static int work(const char *how) {
  if (!strcmp(how, "segv")) return write_nowhere();
  if (!strcmp(how, "abrt")) return give_up();
  if (!strcmp(how, "bus")) return read_past_the_file();
  if (!strcmp(how, "ill")) return run_nonsense();
  if (!strcmp(how, "fpe")) return divide_by_zero();
  if (!strcmp(how, "null-call")) return call_nothing();
  if (!strcmp(how, "recursion")) return dig_deeper(0);
  if (!strcmp(how, "other-user")) return crash_as_another_user();
  if (!strcmp(how, "lost-stack")) return lose_the_stack();
  if (!strcmp(how, "broken-files")) return crash_in_broken_files();
  if (!strcmp(how, "threads")) return crash_among_threads();
  if (!strcmp(how, "child")) return crash_as_child(1);
  if (!strcmp(how, "measure")) return measure();
  if (!strcmp(how, "twenty")) return crash_as_child(20);
  if (!strcmp(how, "hundred")) return crash_as_child(100);
  return 64;
}

int main(int argc, char **argv) {
  const struct rlimit none = {0, 0};   // which must not matter: the kernel's pipe ignores it
  if (!getenv("KEEP_CORE_LIMIT")) setrlimit(RLIMIT_CORE, &none);
  if (getenv("DELETE_ME")) unlink(getenv("DELETE_ME"));
  if (argc > 1) return work(argv[1]) + 1;
  return 64;
}
