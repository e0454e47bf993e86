/* Numbers that say nothing without their table, or stand in none:
 *
 *	syscall(9999)          11 times, a number that no table has
 *	syscall(-1)            13 times
 *	syscall(-5)             7 times, with the bit of x32 set in it
 *	syscall(2^30 + 39)     17 times: getpid of x32
 *	int 0x80 with 20    1,013 times: getpid of i386 (20 is writev for this 64-bit program)
 */
#include <sys/syscall.h>
#include <unistd.h>

static void enter_as_i386(long number)
{
	__asm__ volatile("int $0x80" : "+a"(number) : : "memory", "r8", "r9", "r10", "r11");
}

int main(void)
{
	for (int i = 0; i < 11; i++)
		syscall(9999);
	for (int i = 0; i < 13; i++)
		syscall(-1);
	for (int i = 0; i < 7; i++)
		syscall(-5);
	for (int i = 0; i < 17; i++)
		syscall(0x40000000 + SYS_getpid);
	for (int i = 0; i < 1013; i++)
		enter_as_i386(20);
	return 0;
}
