/* SPDX-License-Identifier: Apache-2.0
 *
 * What the code under test allocates: the linker wraps the allocator (see CMakeLists.txt), so that
 * every request of ours is seen, and none of a library's own. */
#ifndef SLUICE_TESTS_UNIT_PROTOCOL_ALLOCATIONS_H
#define SLUICE_TESTS_UNIT_PROTOCOL_ALLOCATIONS_H

#include <stddef.h>

/* Since the test set them to 0: how many, and the bytes of the largest. */
extern size_t allocation_count, largest_allocation;

/* The real one, for what must not count. */
void *__real_malloc(size_t bytes);

#endif
