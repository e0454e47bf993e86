/* Prints "ready", then the number of each signal that arrives, one a line, until the one arrives
 * whose number it was given: then it exits with 0.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	static const int all[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
	int number, last = argc > 1 ? atoi(argv[1]) : SIGTERM;
	sigset_t awaited;

	sigemptyset(&awaited);
	for (unsigned int i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		sigaddset(&awaited, all[i]);
	sigprocmask(SIG_BLOCK, &awaited, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	do {
		number = sigwaitinfo(&awaited, NULL);
		printf("%d\n", number);
	} while (number != last);
	return 0;
}
