/* file_stack FILE: a thread that has its stack in a file prints "ready" and, after each line that
 * it reads, calls clock_gettime 1,009 times.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { BYTES = 1 << 20 };

static void *read_clock(void *unused)
{
	struct timespec now;
	char line[16];

	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		for (int i = 0; i < 1009; i++)
			clock_gettime(CLOCK_MONOTONIC, &now);
		puts("done");
		fflush(stdout);
	}
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
