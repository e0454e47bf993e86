/* Ring profile, for N (default 1,009) children made with vfork and waited for:
 *
 *	vfork       syscall  ring 3->0  exactly N: it enters once, though it returns twice
 *	wait4       syscall  ring 3->0  exactly N
 *	exit_group  syscall  ring 3->0  exactly N+1, all unfinished: it never returns
 */
#define _GNU_SOURCE
#include <sys/wait.h>
#include <unistd.h>

#include "count.h"

/* A function of its own, so that no variable of main can be lost to the child's stack frame. */
static int __attribute__((noinline)) vfork_and_wait(void)
{
	pid_t child = vfork();

	if (child == 0)
		_exit(0);
	return child < 0 || wait4(child, NULL, 0, NULL) != child;
}

int main(int argc, char **argv)
{
	long n = count_argument(argc, argv, 1009);

	for (long i = 0; i < n; i++) {
		if (vfork_and_wait()) {
			perror("vfork");
			return 1;
		}
	}
	return 0;
}
