/* Another process has this one's memory, and no first thread any more: of that it has another. */
#define _GNU_SOURCE
#include "rounds.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char stacks[2][65536] __attribute__((aligned(16)));

static int stay(void *unused)
{
	syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	while (!unused)
		syscall(SYS_pause);
	return 0;
}

static int leave(void *unused)
{
	int as_thread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;

	(void)unused;
	clone(stay, stacks[1] + sizeof(stacks[1]), as_thread, NULL);
	syscall(SYS_exit, 0);
	return 0;
}

int main(void)
{
	printf("%d\n", clone(leave, stacks[0] + sizeof(stacks[0]), CLONE_VM | SIGCHLD, NULL));
	say("ready");
	while (make_round())
		say("done");
	_exit(0);
}
