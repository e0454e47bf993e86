/* Leaks 77 bytes; to be built with LeakSanitizer, which cannot look under ptrace. */
#include <stdlib.h>

int main(void)
{
	void *volatile kept = malloc(77);

	kept = NULL;
	return kept != NULL;
}
