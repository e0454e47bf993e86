/* Threads that each block once, in calls that are restarted and in calls that are not, and say
 * what the call gave them. When standard input ends, what they wait for happens; but one sleeps,
 * for as many seconds as the argument says.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int pipe_fds[2], epoll_pipe[2], recv_pair[2], listening, semaphores;
static struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "\0blocked"};
static unsigned int futex_word;
static int sleeps;

static void say(const char *name, long result)
{
	printf("%s %ld %s\n", name, result, result < 0 ? strerrorname_np(errno) : "-");
}

static void *in_read(void *unused)
{
	char byte;

	say("read", read(pipe_fds[0], &byte, 1));
	return unused;
}

static void *in_nanosleep(void *unused)
{
	struct timespec seconds = {.tv_sec = sleeps}, begin, end;
	long result;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	result = syscall(SYS_nanosleep, &seconds, NULL);
	clock_gettime(CLOCK_MONOTONIC, &end);
	say("nanosleep", result);
	say("slept", ((end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000) /
			     1000);
	return unused;
}

static void *in_futex(void *unused)
{
	say("futex", syscall(SYS_futex, &futex_word, FUTEX_WAIT, 0, NULL));
	return unused;
}

static void *in_epoll_wait(void *unused)
{
	struct epoll_event event = {.events = EPOLLIN};
	int fd = epoll_create1(0);

	epoll_ctl(fd, EPOLL_CTL_ADD, epoll_pipe[0], &event);
	say("epoll_wait", epoll_wait(fd, &event, 1, 60000));
	return unused;
}

static void *in_sigtimedwait(void *unused)
{
	struct timespec minute = {.tv_sec = 60};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	say("sigtimedwait", sigtimedwait(&set, NULL, &minute));
	return unused;
}

static void *in_semtimedop(void *unused)
{
	struct timespec minute = {.tv_sec = 60};
	struct sembuf take = {.sem_op = -1};

	say("semtimedop", semtimedop(semaphores, &take, 1, &minute));
	return unused;
}

static void *in_recv(void *unused)
{
	struct timeval minute = {.tv_sec = 60};
	char byte;

	setsockopt(recv_pair[0], SOL_SOCKET, SO_RCVTIMEO, &minute, sizeof(minute));
	say("recv", recv(recv_pair[0], &byte, 1, 0));
	return unused;
}

static void *in_accept(void *unused)
{
	say("accept", accept(listening, NULL, NULL) < 0 ? -1 : 0);
	return unused;
}

int main(int argc, char **argv)
{
	void *(*threads[])(void *) = {
		in_read, in_nanosleep, in_futex, in_epoll_wait,
		in_sigtimedwait, in_semtimedop, in_recv, in_accept,
	};
	pthread_t ids[8];
	struct sembuf give = {.sem_op = 1};
	sigset_t set;
	char line[2];

	sleeps = argc > 1 ? atoi(argv[1]) : 3;
	setvbuf(stdout, NULL, _IOLBF, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	semaphores = semget(IPC_PRIVATE, 1, 0600);
	listening = socket(AF_UNIX, SOCK_STREAM, 0);
	if (pipe(pipe_fds) || pipe(epoll_pipe) || semaphores < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, recv_pair))
		return 1;
	/* an address of its own for every process: nothing but its pid */
	snprintf(address.sun_path + 1, 32, "blocked%d", getpid());
	if (bind(listening, (void *)&address, sizeof(address)) || listen(listening, 1))
		return 1;
	for (int i = 0; i < 8; i++)
		pthread_create(&ids[i], NULL, threads[i], NULL);
	usleep(200000);
	puts("ready");
	while (read(0, line, sizeof(line)) > 0)
		;
	if (write(pipe_fds[1], "x", 1) != 1 || write(epoll_pipe[1], "x", 1) != 1 ||
	    write(recv_pair[1], "x", 1) != 1)
		return 1;
	futex_word = 1;
	syscall(SYS_futex, &futex_word, FUTEX_WAKE, 1);
	kill(getpid(), SIGUSR2);
	semop(semaphores, &give, 1);
	connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&address, sizeof(address));
	for (int i = 0; i < 8; i++)
		pthread_join(ids[i], NULL);
	semctl(semaphores, 0, IPC_RMID);
	return 0;
}
