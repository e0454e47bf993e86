/* Ring profile, for N (default 1,000,003) getppid system calls:
 *
 *	getppid  syscall  ring 3->0  exactly N, no errors
 */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <unistd.h>

#include "count.h"

int main(int argc, char **argv)
{
	long n = count_argument(argc, argv, 1000003);

	for (long i = 0; i < n; i++)
		syscall(SYS_getppid);
	return 0;
}
