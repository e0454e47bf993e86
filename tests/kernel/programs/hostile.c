/* hostile NAME FILE: takes a name, maps a file, then reads CLOCK_MONOTONIC 1,009 times after it
 * has read a line, and as often in a child that it forks: 2,018 calls of clock_gettime.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct timespec now;
	int file, status;
	pid_t child;

	if (argc != 3 || prctl(PR_SET_NAME, argv[1]))
		return 1;
	file = open(argv[2], O_RDONLY);
	if (file < 0 || mmap(NULL, 1, PROT_READ, MAP_SHARED, file, 0) == MAP_FAILED)
		return 1;
	puts("ready");
	fflush(stdout);
	getchar();
	child = fork();
	for (int i = 0; i < 1009; i++)
		clock_gettime(CLOCK_MONOTONIC, &now);
	if (child == 0)
		_exit(0);
	return waitpid(child, &status, 0) != child || status;
}
