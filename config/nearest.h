/* SPDX-License-Identifier: Apache-2.0
 *
 * "Did you mean …": pure function, any thread, no allocation. */
#ifndef SLUICE_CONFIG_NEAREST_H
#define SLUICE_CONFIG_NEAREST_H

#include <stddef.h>

#define SLUICE_NEAREST_BYTES_MAX 96 /* longer words are like nothing */

/* Letters to insert, delete, change or swap with their neighbour; SIZE_MAX for long words. */
size_t sluice_nearest_distance(const char *a, const char *b);

/* The word most like `word`, or NULL when none is at most a third of its letters (but at least
 * two) away. */
const char *sluice_nearest(const char *word, const char *const *words, size_t count);

#endif
