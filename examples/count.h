/* Reads the one argument that the C examples take. */
#ifndef EXAMPLES_COUNT_H
#define EXAMPLES_COUNT_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* The count named on the command line, or otherwise where none is. */
static inline long count_argument(int argc, char **argv, long otherwise)
{
	char *end;
	long n;

	if (argc < 2)
		return otherwise;
	errno = 0;
	n = strtol(argv[1], &end, 10);
	if (errno || end == argv[1] || *end || n < 0 || argc > 2) {
		fprintf(stderr, "usage: %s [COUNT]\n", argv[0]);
		exit(2);
	}
	return n;
}

#endif
