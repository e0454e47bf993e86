/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 * A program that moves or unmaps its vDSO, which holds our jumps, is held where its call returns.
 */

#define NR_MMAP 9
#define NR_MREMAP 25
#define MAP_FIXED 0x10    /* include/uapi/asm-generic/mman-common.h */
#define MREMAP_FIXED 2    /* include/uapi/linux/mman.h */

/* Whether the vDSO, or what it will have been, shares a byte with this range. */
static inline int meets_vdso(u64 vdso, u64 begin, u64 length)
{
	return vdso - begin < length || begin - vdso < VDSO_SIZE;
}

/* At the entry of mmap, munmap or mremap. */
static inline void hold_if_vdso_moves(struct task_struct *task, u32 nr, void *registers)
{
	u64 vdso = vdso_base(task), length = LOAD("u64", registers, REG_SI);
	u64 flags = LOAD("u64", registers, REG_R10);
	int meets = meets_vdso(vdso, LOAD("u64", registers, REG_DI), length);

	if (nr == NR_MMAP && !(flags & MAP_FIXED))
		return;
	if (nr == NR_MREMAP && flags & MREMAP_FIXED)
		meets |= meets_vdso(vdso, LOAD("u64", registers, REG_R8),
				    LOAD("u64", registers, REG_DX));
	if (meets)
		hold(task, HOLD_MOVE);
}
