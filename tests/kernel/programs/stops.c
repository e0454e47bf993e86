/* A child that reads the clock 211 times and stops itself, 53 times, and its parent, which
 * lets it go on each time; prints how often it saw it stopped.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 53

int main(void)
{
	int status, stopped = 0;
	struct timespec now;
	pid_t child = fork();

	if (child == 0) {
		for (int i = 0; i < ROUNDS; i++) {
			for (int call = 0; call < 211; call++)
				clock_gettime(CLOCK_MONOTONIC, &now);
			kill(getpid(), SIGSTOP);
		}
		_exit(7);
	}
	while (waitpid(child, &status, WUNTRACED) == child) {
		if (WIFEXITED(status)) {
			printf("%d\n", stopped);
			return WEXITSTATUS(status);
		}
		if (WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP) {
			stopped++;
			kill(child, SIGCONT);
		}
	}
	return 1;
}
