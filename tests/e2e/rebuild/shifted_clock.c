// Preloaded into every program of a build: the time of day is 400 days later. Times of files are left alone.
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { shift_s = 400 * 86400 };

int clock_gettime(clockid_t clock, struct timespec* at) {
  const int answer = (int)syscall(SYS_clock_gettime, clock, at);
  if (answer == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) at->tv_sec += shift_s;
  return answer;
}

int gettimeofday(struct timeval* at, void* zone) {
  const int answer = (int)syscall(SYS_gettimeofday, at, zone);
  if (answer == 0 && at) at->tv_sec += shift_s;
  return answer;
}

time_t time(time_t* out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}
