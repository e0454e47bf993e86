/* Ring profile: 8 processes of 4 threads each make, all together, N (default 400,009) calls that
 * succeed and N that fail:
 *
 *	getppid  syscall  ring 3->0  exactly N, no errors
 *	close    syscall  ring 3->0  exactly N errors, all EBADF (libc's own calls of close succeed)
 *
 * N need not be a multiple of 32: the first N % 32 threads make one call more than the others.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "count.h"

enum { PROCESSES = 8, THREADS = 4, WORKERS = PROCESSES * THREADS };

static long total;

static void *work(void *worker)
{
	long share = total / WORKERS + ((intptr_t)worker < total % WORKERS);

	for (long i = 0; i < share; i++) {
		syscall(SYS_getppid);
		syscall(SYS_close, -1);
	}
	return NULL;
}

/* The calling thread is one of the four. */
static void work_in_threads(intptr_t process)
{
	pthread_t threads[THREADS - 1];
	intptr_t first = process * THREADS;

	for (int i = 0; i < THREADS - 1; i++)
		if (pthread_create(&threads[i], NULL, work, (void *)(first + 1 + i)))
			_exit(1);
	work((void *)first);
	for (int i = 0; i < THREADS - 1; i++)
		pthread_join(threads[i], NULL);
}

int main(int argc, char **argv)
{
	int status, failed = 0;

	total = count_argument(argc, argv, 400009);
	/* The calling process is one of the eight. */
	for (int process = 1; process < PROCESSES; process++) {
		switch (fork()) {
		case -1:
			perror("fork");
			return 1;
		case 0:
			work_in_threads(process);
			_exit(0);
		}
	}
	work_in_threads(0);
	for (int process = 1; process < PROCESSES; process++)
		failed |= wait(&status) < 0 || status;
	return failed;
}
