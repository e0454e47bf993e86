/* scribbles BYTE [END]: writes over systrace's counters, the only memory that it shares: BYTE
 * everywhere and, when it has read a line or cannot, END. Before each it reads CLOCK_MONOTONIC.
 * A negative BYTE unmaps them instead.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

static void call(void)
{
	struct timespec now;

	for (int i = 0; i < 1009; i++)
		clock_gettime(CLOCK_MONOTONIC, &now);
}

static int scribble(int byte)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long low, high;
	char line[512], rights[8];
	int found = 0;

	while (maps && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %7s", &low, &high, rights) == 3 &&
		    !strcmp(rights, "rw-s") && strstr(line, "/dev/zero")) {
			if (byte < 0)
				munmap((void *)low, high - low);
			else
				memset((void *)low, byte, high - low);
			found++;
		}
	fclose(maps);
	return found;
}

int main(int argc, char **argv)
{
	int found;

	if (argc < 2)
		return 1;
	call();
	found = scribble(atoi(argv[1]));
	call();
	getchar();
	call();
	if (argc > 2)
		scribble(atoi(argv[2]));
	return found == 1 ? 7 : 1;
}
