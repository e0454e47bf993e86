/* attacks: tries to get at its parent, which is systrace, in all the ways that it can think of;
 * prints the name of each that succeeds. Nothing here changes a systrace that lets it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static void tried(const char *attack, long result)
{
	if (result >= 0)
		printf("%s\n", attack);
}

static long opened(pid_t pid, const char *file, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	return open(path, flags | O_CLOEXEC);
}

int main(void)
{
	pid_t parent = getppid();
	struct rlimit limit;
	unsigned long cpus[128];
	long bytes = syscall(SYS_sched_getaffinity, parent, sizeof(cpus), cpus);
	char byte;
	struct iovec local = {&byte, 1}, remote = {(void *)0x400000, 1};
	int pidfd = syscall(SYS_pidfd_open, parent, 0);

	tried("kill", kill(parent, 0));
	tried("queue", sigqueue(parent, 0, (union sigval){0}));
	tried("pidfd_send_signal", syscall(SYS_pidfd_send_signal, pidfd, 0, 0, 0));
	for (int fd = 0; fd < 64; fd++)
		tried("pidfd_getfd", syscall(SYS_pidfd_getfd, pidfd, fd, 0));
	tried("seize", ptrace(PTRACE_SEIZE, parent, 0, 0));
	tried("read", process_vm_readv(parent, &local, 1, &remote, 1, 0));
	tried("mem", opened(parent, "mem", O_RDWR));
	tried("maps", opened(parent, "maps", O_RDONLY));
	tried("environ", opened(parent, "environ", O_RDONLY));
	tried("fd", opened(parent, "fd", O_RDONLY | O_DIRECTORY));
	tried("map_files", opened(parent, "map_files", O_RDONLY | O_DIRECTORY));
	tried("prlimit", prlimit(parent, RLIMIT_CPU, NULL, &limit));
	tried("nice", setpriority(PRIO_PROCESS, parent, getpriority(PRIO_PROCESS, parent)));
	tried("affinity", syscall(SYS_sched_setaffinity, parent, bytes, cpus));
	tried("bpf", syscall(SYS_bpf, 11 /* BPF_PROG_GET_NEXT_ID */, &(long[16]){0}, 128));
	puts("tried");
	return 0;
}
