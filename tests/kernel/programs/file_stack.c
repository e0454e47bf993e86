/* file_stack FILE: a thread that has its stack in a file prints "ready" and, after each line that
 * it reads, calls clock_gettime 1,009 times.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rounds.h"

enum { BYTES = 1 << 20 };

static void *read_clock(void *unused)
{
	say("ready");
	while (make_round())
		say("done");
	return unused;
}

int main(int argc, char **argv)
{
	int file = open(argv[argc - 1], O_RDWR | O_CREAT, 0600);
	pthread_attr_t attributes;
	pthread_t thread;
	void *stack;

	if (file < 0 || ftruncate(file, BYTES))
		return 1;
	stack = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (stack == MAP_FAILED || pthread_attr_init(&attributes) ||
	    pthread_attr_setstack(&attributes, stack, BYTES) ||
	    pthread_create(&thread, &attributes, read_clock, NULL))
		return 1;
	return pthread_join(thread, NULL);
}
