/* SPDX-License-Identifier: MIT
 * bcc's helpers.h includes <asm/page.h>; our programs use nothing of it.
 */
