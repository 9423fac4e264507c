/* SPDX-License-Identifier: Apache-2.0
 *
 * One table. Numbers of images are chosen so that a burst takes one to a few seconds and some GB:
 * long enough to be steady, short enough to repeat. */
#include "bench/pipeline/sets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct sluice_bench_set sets[] = {
    {"r500k3", "eiger2_r500k_bslz4_16bit", "eiger2-500k", "3", "bslz4", 5000, 200, 560000,
     "EIGER2 500K, three planes of 16 bit, bslz4"},
    {"r500k1", NULL, "eiger2-r-500k", "1", "bslz4", 10000, 200, 200000,
     "EIGER2 500K, one plane of 16 bit, bslz4"},
    {"s256", NULL, "s256", "1", "bslz4", 50000, 500, 40000, "256 x 256, 16 bit, bslz4"},
    {"e16m", NULL, "eiger2-16m", "1", "bslz4", 300, 10, 8000000, "EIGER2 16M, 16 bit, bslz4"},
    {"e16m-raw", NULL, "eiger2-16m", "1", "none", 60, 10, 36500000, "EIGER2 16M, 16 bit, raw"},
    {"tiny", NULL, "tiny", "1", "bslz4", 100000, 1000, 8000, "64 x 64, 16 bit, bslz4"},
};

const struct sluice_bench_set *sluice_bench_set_at(uint32_t index)
{
    return index < sizeof(sets) / sizeof(sets[0]) ? &sets[index] : NULL;
}

const struct sluice_bench_set *sluice_bench_set_find(const char *name)
{
    const struct sluice_bench_set *set;
    for (uint32_t i = 0; (set = sluice_bench_set_at(i)) != NULL; i++) {
        if (strcmp(set->name, name) == 0) {
            return set;
        }
    }
    return NULL;
}

bool sluice_bench_set_captured(const struct sluice_bench_set *set, char *path, size_t bytes)
{
    const char *places[] = {getenv("SLUICE_SHARED"), "../shared"};
    for (size_t i = 0; set->captured != NULL && i < sizeof(places) / sizeof(places[0]); i++) {
        if (places[i] == NULL) {
            continue;
        }
        const int length = snprintf(path, bytes, "%s/data/stream2/%s", places[i], set->captured);
        if (length > 0 && (size_t)length < bytes && access(path, R_OK | X_OK) == 0) {
            return true;
        }
    }
    return false;
}

void sluice_bench_set_arguments(const struct sluice_bench_set *set, const char *replay,
                                struct sluice_arguments *arguments)
{
    const char *const made[] = {"--detector",  set->detector, "--channels",
                                set->channels, "--encoding",  set->encoding};
    if (replay != NULL) {
        sluice_arguments_add(arguments, "--replay");
        sluice_arguments_add(arguments, replay);
        return;
    }
    for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
        sluice_arguments_add(arguments, made[i]);
    }
}
