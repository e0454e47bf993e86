/* Moves its vDSO, and calls it before and after: "moves PLACE [then]".
 *
 * PLACE: near (within 2 GiB of where it was), far, away (unmapped), over (something else is mapped
 * over it), onto (something else is moved onto it), refused (a move that the kernel refuses),
 * back (far, and back again), or forever (back and forth, and no call is made any more).
 * Then: fork (a forked child calls it too), vfork (a child in vfork moves it), threads (other
 * threads call it afterwards), exec (execs itself to do nothing more), thread (a thread other than
 * the first moves it), filter (a seccomp filter, of all that is allowed, is in force when it
 * moves), later (waits for a line before it calls and moves, and for another in the end; a second
 * THEN may follow), wait (says so when it has moved and when it has called, and waits for a line each time).
 *
 * Calls by clock_gettime's address in the image, as libc's pointer goes where it was:
 * 10,007 before the move and 1,009 after it; a child makes 503, a thread 211.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BEFORE = 10007, AFTER = 1009, CHILD = 503, THREAD = 211 };

typedef int clock_function(clockid_t, struct timespec *);

static char *begin, *vdso; /* of its data and code, which move together; of the image itself */
static size_t size, image_size;
static size_t function;    /* offset of clock_gettime within the image */

static void find_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long low, high;
	char line[512];

	vdso = (char *)getauxval(AT_SYSINFO_EHDR);
	while (maps && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx", &low, &high) != 2 || high > 0x7fffffffffff)
			continue;
		if (strstr(line, "[vvar") && !begin)
			begin = (char *)low;
		if (strstr(line, "[vdso]"))
			size = (char *)high - begin, image_size = high - low;
	}
	fclose(maps);
}

static void find_function(void)
{
	Elf64_Ehdr *header = (Elf64_Ehdr *)vdso;
	Elf64_Shdr *sections = (Elf64_Shdr *)(vdso + header->e_shoff);

	for (int i = 0; i < header->e_shnum; i++) {
		Elf64_Sym *symbols = (Elf64_Sym *)(vdso + sections[i].sh_offset);
		char *names = vdso + sections[sections[i].sh_link].sh_offset;

		if (sections[i].sh_type != SHT_DYNSYM)
			continue;
		for (size_t j = 0; j < sections[i].sh_size / sizeof(*symbols); j++)
			if (!strcmp(names + symbols[j].st_name, "__vdso_clock_gettime"))
				function = symbols[j].st_value;
	}
}

static void call(int times)
{
	clock_function *clock = (clock_function *)(vdso + function);
	struct timespec now, cpu;

	for (int i = 0; i < times; i++)
		if (clock(CLOCK_MONOTONIC, &now) || !now.tv_sec)
			abort();
	for (int i = 0; i < times % 100; i++) /* these fall back */
		clock(CLOCK_PROCESS_CPUTIME_ID, &cpu);
}

static void check(int true_)
{
	if (!true_) {
		perror("moves");
		exit(1);
	}
}

/* The data first, for the code looks for it at its own distance. */
static void move_to(char *place)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512], *old = begin;
	unsigned long low, high;

	check(mmap(place, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		   0) == place);
	while (maps && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx", &low, &high) != 2 || (char *)low < old ||
		    (char *)high > old + size)
			continue;
		check(mremap((void *)low, high - low, high - low, MREMAP_MAYMOVE | MREMAP_FIXED,
			     place + (low - (unsigned long)old)) != MAP_FAILED);
	}
	fclose(maps);
	vdso = place + (vdso - old);
	begin = place;
}

static char *near_by(void)
{
	return begin - 0x10000000; /* 256 MiB: there is nothing so near below the stack */
}

static char *far_away(void)
{
	return (char *)0x20000000000;
}

static void *call_in_thread(void *unused)
{
	call(THREAD);
	return unused;
}

static void *move_in_thread(void *place)
{
	if (!strcmp(place, "near"))
		move_to(near_by());
	else
		move_to(far_away());
	return NULL;
}

static void run_thread(void *(*start)(void *), void *argument)
{
	pthread_t thread;

	check(!pthread_create(&thread, NULL, start, argument));
	pthread_join(thread, NULL);
}

static void wait_for_child(void)
{
	int status;

	check(wait(&status) > 0 && !status);
}

static void move(char *place)
{
	char *there = begin;
	void *fresh;

	if (!strcmp(place, "near") || !strcmp(place, "far")) {
		move_in_thread(place);
	} else if (!strcmp(place, "forever")) {
		for (;;) {
			move_to(far_away());
			move_to(there);
		}
	} else if (!strcmp(place, "back")) {
		move_to(far_away());
		call(AFTER);
		move_to(there);
	} else if (!strcmp(place, "refused")) {
		check(mremap(vdso, image_size, 4 * image_size, MREMAP_MAYMOVE) == MAP_FAILED);
	} else if (!strcmp(place, "away")) {
		check(!munmap(vdso, image_size));
	} else {
		int fixed = !strcmp(place, "over") ? MAP_FIXED : 0;

		fresh = mmap(fixed ? vdso : NULL, image_size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | fixed, -1, 0);
		check(fresh != MAP_FAILED);
		/* what was clock_gettime returns at once, and is no vDSO call any more */
		memcpy((char *)fresh + function, "\x31\xc0\xc3", 3); /* xor eax, eax; ret */
		check(!mprotect(fresh, image_size, PROT_READ | PROT_EXEC));
		if (!fixed)
			check(mremap(fresh, image_size, image_size, MREMAP_MAYMOVE | MREMAP_FIXED,
				     vdso) == vdso);
	}
}

static void filter(void)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = {1, &allow};

	check(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	      !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
}

static void say(const char *what)
{
	char line[16];

	puts(what);
	fflush(stdout);
	check(fgets(line, sizeof(line), stdin) != NULL);
}

static void call_nothing(void)
{
	clock_function *clock = (clock_function *)(vdso + function);

	for (int i = 0; i < AFTER; i++)
		clock(CLOCK_MONOTONIC, NULL);
}

static void __attribute__((noinline)) move_in_vfork(char *place)
{
	if (vfork() == 0) {
		move(place);
		call(CHILD);
		_exit(0);
	}
	wait_for_child();
}

int main(int argc, char **argv)
{
	char *place = argc > 1 ? argv[1] : "", *then = argc > 2 ? argv[2] : "";

	find_mappings();
	find_function();
	check(size && function);
	if (!strcmp(place, "none"))
		return 0;
	if (!strcmp(then, "later")) {
		say("ready");
		then = argc > 3 ? argv[3] : then;
	}
	call(BEFORE);
	if (!strcmp(then, "filter"))
		filter();
	if (!strcmp(then, "vfork"))
		move_in_vfork(place);
	else if (!strcmp(then, "thread"))
		run_thread(move_in_thread, place);
	else
		move(place);
	if (!strcmp(then, "wait"))
		say("moved");
	if (!strcmp(place, "over") || !strcmp(place, "onto"))
		call_nothing();
	else if (strcmp(place, "away"))
		call(AFTER);
	if (!strcmp(then, "wait"))
		say("called");
	if (!strcmp(then, "fork")) {
		if (fork() == 0) {
			if (strcmp(place, "away"))
				call(CHILD);
			_exit(0);
		}
		wait_for_child();
	}
	if (!strcmp(then, "threads"))
		for (int i = 0; i < 5; i++)
			run_thread(call_in_thread, NULL);
	if (argc > 2 && !strcmp(argv[2], "later"))
		say("called");
	if (!strcmp(then, "exec"))
		execl("/proc/self/exe", argv[0], "none", NULL);
	return 0;
}
