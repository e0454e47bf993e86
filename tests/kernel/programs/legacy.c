/* Calls time() 1,013 times on the legacy vsyscall page, where the kernel emulates it. */
#include <time.h>

#define VSYSCALL_TIME 0xffffffffff600400UL /* arch/x86/include/uapi/asm/vsyscall.h */

int main(void)
{
	time_t (*const volatile legacy_time)(time_t *) = (time_t(*)(time_t *))VSYSCALL_TIME;

	for (int i = 0; i < 1013; i++)
		if (legacy_time(0) <= 0)
			return 1;
	return 0;
}
