/* For gcc -m32: 1,013 getppid, whatever libc's way into the kernel is. */
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
	for (int i = 0; i < 1013; i++)
		syscall(SYS_getppid);
	return 0;
}
