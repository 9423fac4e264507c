/* SPDX-License-Identifier: Apache-2.0
 *
 * Two results of `sluice bench --json`, figure by figure: did anything get worse? Blocks (reads two
 * files). One thread. */
#ifndef SLUICE_BENCH_COMPARE_H
#define SLUICE_BENCH_COMPARE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "core/error.h"

struct sluice_comparison {
    uint32_t compared, better, worse, same, only_before, only_after;
};

/* A line for each figure of both. Better or worse is what lies outside the noise: the ranges of
 * rounds do not touch and the medians differ by more than 2 %; after one round alone (no range),
 * 25 %. With `all`, absolute figures too; without, only ratios within one run and targets, which
 * hold where a machine's speed drifts. IO, MALFORMED: a file cannot be used; NOT_FOUND: they have
 * no figure in common. */
enum sluice_status sluice_compare(const char *before, const char *after, bool all, FILE *stream,
                                  struct sluice_comparison *comparison, struct sluice_error *error);

#endif
