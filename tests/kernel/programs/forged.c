/* forged DIRECTORY file|far: maps what looks like the pages that an attach leaves behind. With
 * ``file`` the counters are in a file that has the name of shared memory, in a root of its own;
 * with ``far`` they are out of a jump's reach. Then, after each line that it reads, it calls
 * clock_gettime 1,009 times and takes the file's contents away.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "rounds.h"

enum { PAGE = 4096, COUNTERS = 16384 };
static const char magic[] = "systrace vdso 1\n";

static int own_root(const char *directory)
{
	return unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	       mount("none", directory, "tmpfs", 0, NULL) || chdir(directory) ||
	       syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) || mkdir("/dev", 0755);
}

int main(int argc, char **argv)
{
	struct timespec now;
	char *code;
	int file, far;

	if (argc != 3 || own_root(argv[1]))
		return 1;
	far = !strcmp(argv[2], "far");
	file = open("/dev/zero", O_RDWR | O_CREAT, 0600);
	if (file < 0 || ftruncate(file, COUNTERS))
		return 2;
	clock_gettime(CLOCK_MONOTONIC, &now);
	code = mmap(far ? (void *)0x20000000 : NULL, PAGE + COUNTERS, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	strcpy(code + PAGE - sizeof(magic) + 1, magic);
	if (mprotect(code, PAGE, PROT_READ | PROT_EXEC) || unlink("/dev/zero") ||
	    mmap(code + PAGE, COUNTERS, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED | (far ? MAP_ANONYMOUS : 0), far ? -1 : file, 0) == MAP_FAILED)
		return 3;
	say("ready");
	while (make_round()) {
		if (ftruncate(file, 0))
			return 4;
		say("done");
	}
	return 0;
}
