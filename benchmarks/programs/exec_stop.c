/* exec_stop: runs itself again, and prints how many us passed from before execve to its first
 * instructions after. Static, so that no dynamic linker runs in between.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static unsigned long long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

int main(int argc, char **argv)
{
	char text[32];

	if (argc > 1) {
		printf("%.1f\n", (now_ns() - strtoull(argv[1], NULL, 10)) / 1e3);
		return 0;
	}
	snprintf(text, sizeof(text), "%llu", now_ns());
	execl(argv[0], argv[0], text, (char *)NULL);
	return 1;
}
