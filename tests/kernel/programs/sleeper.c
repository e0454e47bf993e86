/* Sleeps and reads while children end, each ignored: without a tracer no call is interrupted, and
 * none goes on as restart_syscall.
 */
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 7

int main(void)
{
	int ends[2];
	char byte;

	for (int i = 0; i < ROUNDS; i++) {
		struct timespec sleep = {.tv_nsec = 60000000};

		if (fork() == 0) {
			usleep(20000);
			_exit(0);
		}
		nanosleep(&sleep, NULL);
		wait(NULL);
		/* one child ends while the other has the byte to read still to write */
		if (pipe(ends))
			return 1;
		if (fork() == 0) {
			usleep(20000);
			_exit(0);
		}
		if (fork() == 0) {
			usleep(60000);
			_exit(write(ends[1], "x", 1) != 1);
		}
		if (read(ends[0], &byte, 1) != 1)
			return 1;
		close(ends[0]);
		close(ends[1]);
		wait(NULL);
		wait(NULL);
	}
	return 0;
}
