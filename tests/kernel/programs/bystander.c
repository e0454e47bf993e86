/* Waits in calls that signal(7) lists as never restarted while children end, each ignored:
 * without a tracer no call is interrupted. Prints how many were.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 7

static void child_that_ends_soon(void)
{
	if (fork() == 0) {
		usleep(20000);
		_exit(0);
	}
}

int main(void)
{
	struct timespec timeout = {.tv_nsec = 60000000};
	struct epoll_event event;
	int interrupted = 0;
	sigset_t set;

	int epoll = epoll_create1(0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < ROUNDS; i++) {
		child_that_ends_soon();
		interrupted += epoll_wait(epoll, &event, 1, 60) < 0;
		wait(NULL);
		child_that_ends_soon();
		/* times out with EAGAIN */
		interrupted += sigtimedwait(&set, NULL, &timeout) >= 0 || wait(NULL) < 0;
	}
	printf("%d\n", interrupted);
	return 0;
}
