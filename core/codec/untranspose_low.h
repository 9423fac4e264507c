/* SPDX-License-Identifier: Apache-2.0
 *
 * The bit un-transpose of blocks whose upper planes are all the same: the low bytes alone are
 * un-transposed, and their sign is extended. For core/codec only; re-entrant. */
#ifndef SLUICE_CORE_CODEC_UNTRANSPOSE_LOW_H
#define SLUICE_CORE_CODEC_UNTRANSPOSE_LOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `count` elements from the planes 0 .. significant - 1, `count / 8` bytes each; every plane above
 * equals the last of them. False, and nothing written, where there is no quick way: the level in
 * force has none, a part of 512 elements is left over, or there are too many significant planes. */
bool sluice_untranspose_low(void *out, const uint8_t *planes, size_t count, size_t element_bytes,
                            unsigned significant);

#endif
