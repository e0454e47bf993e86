/* spawn COUNT [PROGRAM]: so many children, one after the other, that end at once, or run PROGRAM.
 * Prints how many seconds that took.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct timespec begin, end;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (int i = atoi(argv[argc > 1 ? 1 : 0]); i > 0; i--) {
		pid_t child = fork();

		if (child == 0) {
			if (argc > 2)
				execl(argv[2], argv[2], (char *)NULL);
			_exit(argc > 2);
		}
		if (child < 0 || waitpid(child, NULL, 0) != child)
			return 1;
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("%.6f\n", (end.tv_sec - begin.tv_sec) + (end.tv_nsec - begin.tv_nsec) / 1e9);
	return 0;
}
