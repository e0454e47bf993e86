/* For each line of the standard input a round of calls. */
#include <stdio.h>
#include <time.h>

static void say(const char *what)
{
	puts(what);
	fflush(stdout);
}

/* Waits for a line, and calls clock_gettime 1,009 times; 0 at the end of the input. */
static int make_round(void)
{
	struct timespec now;
	char line[16];

	if (!fgets(line, sizeof(line), stdin))
		return 0;
	for (int i = 0; i < 1009; i++)
		clock_gettime(CLOCK_MONOTONIC, &now);
	return 1;
}
