/*
 * Preloaded into a server: moves the wall clock of that process by what stands in a file, a 64-bit number of nanoseconds, little endian.
 * The file is mapped, so a test moves the clock by writing to it, at any moment, for all threads at once. The monotonic clock
 * is left alone, as it is when somebody sets the clock of a machine.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *moved_by = NULL;

__attribute__((constructor)) static void map_file(void) {
  const char *path = getenv("MOVED_CLOCK_FILE");
  int file = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  void *bytes = file < 0 ? MAP_FAILED : mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
  if (bytes == MAP_FAILED) _exit(97);
  moved_by = bytes;
  close(file);
}

int clock_gettime(clockid_t clock, struct timespec *out) {
  /* The system call itself: the usual way is the function that this one stands for. */
  int result = (int)syscall(SYS_clock_gettime, clock, out);
  if (result != 0 || moved_by == NULL || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)) return result;
  int64_t ns = (int64_t)out->tv_sec * 1000000000 + out->tv_nsec + *moved_by;
  out->tv_sec = ns / 1000000000;
  out->tv_nsec = ns % 1000000000;
  return 0;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone) {
  (void)zone;
  struct timespec now;
  int result = clock_gettime(CLOCK_REALTIME, &now);
  out->tv_sec = now.tv_sec;
  out->tv_usec = now.tv_nsec / 1000;
  return result;
}

time_t time(time_t *out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != NULL) *out = now.tv_sec;
  return now.tv_sec;
}
