/* SPDX-License-Identifier: Apache-2.0
 *
 * splitmix64 seeds, xoshiro256** draws. The elementary functions are series after an exact range
 * reduction, so they give the same bits wherever doubles are IEEE 754. */
#include "bench/detector/random.h"

#include <math.h>

#define LN2 0.6931471805599453

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

#define GOLDEN UINT64_C(0x9e3779b97f4a7c15)

uint64_t sluice_random_hash(uint64_t seed, uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t z = mix(seed + GOLDEN);
    z = mix((z ^ a) + GOLDEN);
    z = mix((z ^ b) + GOLDEN);
    return mix((z ^ c) + GOLDEN);
}

void sluice_random_seed(struct sluice_random *random, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        seed += GOLDEN;
        random->state[i] = mix(seed);
    }
}

static uint64_t rotate(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

uint64_t sluice_random_next(struct sluice_random *random)
{
    uint64_t *s = random->state;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

double sluice_random_uniform(struct sluice_random *random)
{
    return (double)(sluice_random_next(random) >> 11) * 0x1.0p-53;
}

uint64_t sluice_random_below(struct sluice_random *random, uint64_t bound)
{
    return (uint64_t)(((unsigned __int128)sluice_random_next(random) * bound) >> 64);
}

double sluice_random_exponential(struct sluice_random *random, double mean)
{
    return -mean * sluice_exact_log(1.0 - sluice_random_uniform(random));
}

double sluice_exact_exp(double x)
{
    if (x < -700)
        return 0;
    double n = floor(x / LN2 + 0.5);
    double r = x - n * LN2, term = 1, sum = 1;
    for (int i = 1; i <= 17; i++) {
        term = term * r / i;
        sum += term;
    }
    return ldexp(sum, (int)n);
}

double sluice_exact_log(double x)
{
    int exponent;
    double m = frexp(x, &exponent); /* [0.5, 1) */
    if (m < 0.70710678118654752) {
        m *= 2;
        exponent--;
    }
    double s = (m - 1) / (m + 1), s2 = s * s, power = s, sum = 0;
    for (int i = 1; i <= 21; i += 2) {
        sum += power / i;
        power *= s2;
    }
    return 2 * sum + exponent * LN2;
}

void sluice_exact_sincos(double degrees, double *sine, double *cosine)
{
    double turn = fmod(degrees, 360), quarter = floor(turn / 90 + 0.5);
    double x = (turn - 90 * quarter) * (3.14159265358979323846 / 180); /* within pi / 4 */
    double s = x, c = 1, term_s = x, term_c = 1;
    for (int i = 2; i <= 20; i += 2) {
        term_c = -term_c * x * x / (i * (i - 1));
        term_s = -term_s * x * x / (i * (i + 1));
        c += term_c;
        s += term_s;
    }
    int quadrant = (int)quarter & 3;
    *sine = quadrant == 0 ? s : quadrant == 1 ? c : quadrant == 2 ? -s : -c;
    *cosine = quadrant == 0 ? c : quadrant == 1 ? -s : quadrant == 2 ? -c : s;
}

static double log_factorial(double k)
{
    double sum = 0;
    if (k < 16) {
        for (double i = 2; i <= k; i++)
            sum += sluice_exact_log(i);
        return sum;
    }
    /* Stirling; the next term is below 1e-9 from 16 on */
    return k * sluice_exact_log(k) - k + 0.5 * sluice_exact_log(2 * 3.14159265358979323846 * k) +
           1 / (12 * k) - 1 / (360 * k * k * k) + 1 / (1260 * k * k * k * k * k);
}

/* W. Hörmann, "The transformed rejection method for generating Poisson random variables", 1993. */
static uint64_t poisson_large(struct sluice_random *random, double mean)
{
    double log_mean = sluice_exact_log(mean);
    double b = 0.931 + 2.53 * sqrt(mean);
    double a = -0.059 + 0.02483 * b;
    double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
    double v_r = 0.9277 - 3.6224 / (b - 2);
    for (;;) {
        double u = sluice_random_uniform(random) - 0.5;
        double v = 1.0 - sluice_random_uniform(random); /* (0, 1] */
        double us = 0.5 - fabs(u);
        double k = floor((2 * a / us + b) * u + mean + 0.43);
        if (us >= 0.07 && v <= v_r)
            return (uint64_t)k;
        if (k < 0 || us <= 0 || (us < 0.013 && v > us))
            continue;
        double left = sluice_exact_log(v * inverse_alpha / (a / (us * us) + b));
        if (left <= k * log_mean - mean - log_factorial(k))
            return (uint64_t)k;
    }
}

uint64_t sluice_random_poisson(struct sluice_random *random, double mean)
{
    if (!(mean > 0))
        return 0;
    if (mean >= 10)
        return poisson_large(random, mean);
    double limit = sluice_exact_exp(-mean), product = sluice_random_uniform(random);
    uint64_t k = 0;
    while (product > limit) {
        product *= sluice_random_uniform(random);
        k++;
    }
    return k;
}
