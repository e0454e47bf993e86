/* Executes COMMAND in 53 children, one after the other, and kills each within 8 ms of its fork;
 * prints how many SIGKILL ended and how many had ended with 0, and reads the clock 10,007 times.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int status, killed = 0, ended = 0;
	struct timespec now;

	srand(argc > 2 ? atoi(argv[2]) : 1);
	for (int i = 0; i < 53; i++) {
		pid_t child = fork();

		if (child == 0) {
			execl(argv[1], argv[1], (char *)0);
			_exit(1);
		}
		usleep(rand() % 8000);
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
		killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
		ended += WIFEXITED(status) && WEXITSTATUS(status) == 0;
	}
	for (int i = 0; i < 10007; i++)
		clock_gettime(CLOCK_MONOTONIC, &now);
	printf("%d %d\n", killed, ended);
	return 0;
}
