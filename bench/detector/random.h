/* SPDX-License-Identifier: Apache-2.0
 *
 * Random numbers that are the same on every machine: integer generators, and floating point that
 * uses only the operations IEEE 754 defines exactly (no exp or log of the C library, no fused
 * multiply-add: the room is compiled with -ffp-contract=off). Plain data; one thread a generator.
 */
#ifndef SLUICE_BENCH_DETECTOR_RANDOM_H
#define SLUICE_BENCH_DETECTOR_RANDOM_H

#include <stdint.h>

/* Mixes a seed and up to three numbers into 64 well-spread bits (splitmix64's finaliser). */
uint64_t sluice_random_hash(uint64_t seed, uint64_t a, uint64_t b, uint64_t c);

struct sluice_random { /* xoshiro256** */
    uint64_t state[4];
};

void sluice_random_seed(struct sluice_random *random, uint64_t seed);
uint64_t sluice_random_next(struct sluice_random *random);
double sluice_random_uniform(struct sluice_random *random);                 /* [0, 1) */
uint64_t sluice_random_below(struct sluice_random *random, uint64_t bound); /* [0, bound) */
double sluice_random_exponential(struct sluice_random *random, double mean);
/* A Poisson deviate of any mean >= 0: products of uniforms below 10, Hörmann's transformed
 * rejection (PTRS) above. */
uint64_t sluice_random_poisson(struct sluice_random *random, double mean);

/* e^x and the natural logarithm (x > 0), right to a few units in the last place. */
double sluice_exact_exp(double x);
double sluice_exact_log(double x);
/* Sine and cosine of an angle in degrees, likewise. */
void sluice_exact_sincos(double degrees, double *sine, double *cosine);

#endif
