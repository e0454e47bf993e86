/* Sleeps 10 ms, 20 times. libc's own nanosleep would call clock_nanosleep. */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int main(void)
{
	struct timespec ten_ms = {.tv_nsec = 10 * 1000 * 1000};

	for (int i = 0; i < 20; i++)
		syscall(SYS_nanosleep, &ten_ms, 0);
	return 0;
}
