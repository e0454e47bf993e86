/* SPDX-License-Identifier: MIT
 * bcc's helpers.h includes <uapi/linux/if_packet.h>; our programs use nothing of it.
 */
