/* The first thread ends, at once or, with an argument, at a SIGUSR1; the other one goes on. */
#include "rounds.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

static pthread_t first;

static void *work(void *at_once)
{
	if (at_once)
		pthread_join(first, NULL);
	say("ready");
	while (make_round())
		say("done");
	exit(0);
}

int main(int argc, char **argv)
{
	pthread_t thread;
	sigset_t set;
	int number;

	(void)argv;
	first = pthread_self();
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	pthread_create(&thread, NULL, work, argc > 1 ? NULL : &first);
	if (argc > 1)
		sigwait(&set, &number);
	pthread_exit(NULL);
}
