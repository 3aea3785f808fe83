/* One small program a fault, without a C library; FAULT and the name of the function in which it happens come from the command line. */
#define STRING(x) #x
#define NAME(x) STRING(x)

static long call(long number, long a, long b, long c, long d, long e, long f) {
  register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
  return result;
}

enum { sys_open = 2, sys_mmap = 9, sys_getpid = 39, sys_exit = 60, sys_kill = 62, sys_ftruncate = 77 };

static void say(const char* text) {
  long length = 0;
  while (text[length]) ++length;
  call(1, 2, (long)text, length, 0, 0, 0);
}

__attribute__((noinline)) void FUNCTION(volatile int* nothing) {
#if FAULT == 11
  *nothing = 1;
#elif FAULT == 6
  call(sys_kill, call(sys_getpid, 0, 0, 0, 0, 0, 0), 6, 0, 0, 0, 0);
#elif FAULT == 7   /* a page of a file that was cut to nothing */
  const long fd = call(sys_open, (long)SCRATCH, 02 | 0100, 0600, 0, 0, 0);
  volatile char* page = (volatile char*)call(sys_mmap, 0, 4096, 3, 1, fd, 0);
  *page = 1;
#elif FAULT == 4
  __asm__ volatile("ud2");
#elif FAULT == 8
  __asm__ volatile("xorl %%ecx, %%ecx; movl $1, %%eax; cltd; idivl %%ecx" ::: "eax", "ecx", "edx");
#endif
  (void)nothing;
}

void begin(void) {
  say("working\n");
  FUNCTION(0);
  call(sys_exit, 0, 0, 0, 0, 0, 0);
}

__asm__(".globl _start\n_start: xorl %ebp, %ebp\n andq $-16, %rsp\n call begin\n");
