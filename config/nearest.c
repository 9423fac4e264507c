/* SPDX-License-Identifier: Apache-2.0
 *
 * Edit distance (optimal string alignment) in three rows; words are short. */
#include "config/nearest.h"

#include <stdint.h>
#include <string.h>

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t sluice_nearest_distance(const char *a, const char *b)
{
    size_t a_count = strlen(a), b_count = strlen(b);
    size_t rows[3][SLUICE_NEAREST_BYTES_MAX + 1];
    if (a_count > SLUICE_NEAREST_BYTES_MAX || b_count > SLUICE_NEAREST_BYTES_MAX)
        return SIZE_MAX;
    size_t *before = rows[0], *last = rows[1], *now = rows[2];
    for (size_t j = 0; j <= b_count; j++)
        before[j] = last[j] = j;
    for (size_t i = 1; i <= a_count; i++) {
        now[0] = i;
        for (size_t j = 1; j <= b_count; j++) {
            size_t change = last[j - 1] + (a[i - 1] != b[j - 1]);
            now[j] = smaller(change, smaller(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = smaller(now[j], before[j - 2] + 1);
        }
        size_t *spare = before;
        before = last;
        last = now;
        now = spare;
    }
    return last[b_count];
}

const char *sluice_nearest(const char *word, const char *const *words, size_t count)
{
    size_t limit = strlen(word) / 3;
    const char *best = NULL;
    size_t best_distance = (limit < 2 ? 2 : limit) + 1;
    for (size_t i = 0; i < count; i++) {
        size_t distance = sluice_nearest_distance(word, words[i]);
        if (distance < best_distance) {
            best_distance = distance;
            best = words[i];
        }
    }
    return best;
}
