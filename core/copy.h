/* SPDX-License-Identifier: Apache-2.0
 *
 * A copy that this processor will not read again: past its cache, where it can, so that nothing
 * else is driven out of it and the destination is not read first. Any thread; what was copied is
 * seen by whoever the caller hands it to. */
#ifndef SLUICE_CORE_COPY_H
#define SLUICE_CORE_COPY_H

#include <stddef.h>

/* As memcpy. */
void sluice_copy_past_cache(void *to, const void *from, size_t bytes);

#endif
