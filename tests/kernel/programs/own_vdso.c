/* own_vdso: writes zeros over its vDSO's ELF header and tables, which nothing of its own reads,
 * prints "ready", and after each line that it reads asks for the time of its vDSO 1,009 times.
 */
#include <fcntl.h>
#include <sys/auxv.h>
#include <time.h>
#include <unistd.h>

#include "rounds.h"

int main(void)
{
	static const char zeros[0x200];
	int memory = open("/proc/self/mem", O_WRONLY);
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (pwrite(memory, zeros, sizeof(zeros), getauxval(AT_SYSINFO_EHDR)) != sizeof(zeros))
		return 1;
	say("ready");
	while (make_round())
		say("done");
	return 0;
}
