/* A child that waits in epoll_wait, which no signal may restart (signal(7)), and its parent, which
 * stops it there and lets it go on, 53 times; prints how often the wait was then interrupted.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 53, HANGS_MS = 60 * 1000 };

static void wait_for_nothing(int said)
{
	struct epoll_event event;
	int set = epoll_create1(0);

	for (int i = 0; i < ROUNDS; i++)
		if (epoll_wait(set, &event, 1, -1) >= 0 || errno != EINTR || write(said, "", 1) != 1)
			_exit(1);
	_exit(0);
}

static void await_sleep(pid_t pid)
{
	char path[32], stat[512] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	while (!strstr(stat, ") S ")) {
		file = fopen(path, "r");
		if (!file || !fgets(stat, sizeof(stat), file))
			_exit(2);
		fclose(file);
	}
}

int main(void)
{
	int said[2], status, interrupted = 0;
	char byte;
	pid_t child;

	if (pipe(said))
		return 1;
	child = fork();
	if (child == 0)
		wait_for_nothing(said[1]);
	for (int i = 0; i < ROUNDS; i++) {
		struct pollfd end = {.fd = said[0], .events = POLLIN};

		await_sleep(child);
		kill(child, SIGSTOP);
		waitpid(child, &status, WUNTRACED);
		kill(child, SIGCONT);
		if (poll(&end, 1, HANGS_MS) == 1 && read(said[0], &byte, 1) == 1)
			interrupted++;
		else
			break;
	}
	printf("%d\n", interrupted);
	kill(child, SIGKILL);
	return 0;
}
