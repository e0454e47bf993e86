/* scribbles BYTE SECONDS [END]: writes over systrace's counters, the only memory that it shares:
 * BYTE everywhere and, after a pause, END; between them it reads CLOCK_MONOTONIC.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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
			memset((void *)low, byte, high - low);
			found++;
		}
	fclose(maps);
	return found;
}

int main(int argc, char **argv)
{
	int found;

	if (argc < 3)
		return 1;
	call();
	found = scribble(atoi(argv[1]));
	call();
	usleep(atof(argv[2]) * 1e6);
	if (argc > 3)
		scribble(atoi(argv[3]));
	call();
	return found == 1 ? 7 : 1;
}
