/* SPDX-License-Identifier: Apache-2.0
 *
 * The generator: same numbers everywhere, and distributions with the moments they must have. Seeds
 * are fixed, so nothing here can fail by chance. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench/detector/random.h"

static void the_generator_is_xoshiro256_starstar(void **state)
{
    (void)state;
    /* First outputs for the state 1, 2, 3, 4, as published with the algorithm's ports. */
    struct sluice_random random = {{1, 2, 3, 4}};
    static const uint64_t expected[] = {11520, 0, 1509978240, UINT64_C(1215971899390074240)};
    for (int i = 0; i < 4; i++)
        assert_true(sluice_random_next(&random) == expected[i]);
}

static void elementary_functions_agree_with_the_library(void **state)
{
    (void)state;
    for (double x = -30; x < 30; x += 0.37)
        assert_true(fabs(sluice_exact_exp(x) / exp(x) - 1) < 4e-15);
    for (double x = 1e-9; x < 1e9; x *= 1.7)
        assert_true(fabs(sluice_exact_log(x) - log(x)) < 1e-14 * (1 + fabs(log(x))));
    assert_true(sluice_exact_log(1) == 0);
    assert_true(sluice_exact_exp(0) == 1);
    for (double degrees = -725; degrees <= 725; degrees += 0.37) {
        double sine, cosine, x = degrees * 3.14159265358979323846 / 180;
        sluice_exact_sincos(degrees, &sine, &cosine);
        assert_true(fabs(sine - sin(x)) < 1e-14 && fabs(cosine - cos(x)) < 1e-14);
    }
}

static void poisson_counts_have_mean_and_variance_of_their_law(void **state)
{
    (void)state;
    static const double means[] = {0.05, 0.7, 1.7, 6, 9.9, 10, 12, 50, 900, 60000};
    enum { DRAWS = 200000 };
    for (size_t m = 0; m < sizeof means / sizeof means[0]; m++) {
        struct sluice_random random;
        sluice_random_seed(&random, 2026 + m);
        double sum = 0, squares = 0, cubes = 0;
        for (int i = 0; i < DRAWS; i++) {
            double off = (double)sluice_random_poisson(&random, means[m]) - means[m];
            sum += off;
            squares += off * off;
            cubes += off * off * off;
        }
        double sigma = sqrt(means[m] / DRAWS);
        assert_true(fabs(sum / DRAWS) < 4 * sigma);
        /* var of the sample variance: (mu + 2 mu^2) / n */
        double spread = sqrt((means[m] + 2 * means[m] * means[m]) / DRAWS);
        assert_true(fabs(squares / DRAWS - means[m]) < 4 * spread);
        /* the third central moment is mu; its estimate has sd about sqrt((15 mu^3 + 25 mu^2 + mu) /
         * n) */
        double mu = means[m];
        double third = sqrt((15 * mu * mu * mu + 25 * mu * mu + mu) / DRAWS);
        assert_true(fabs(cubes / DRAWS - mu) < 5 * third);
    }
}

static void exponentials_have_their_mean(void **state)
{
    (void)state;
    struct sluice_random random;
    sluice_random_seed(&random, 5);
    double sum = 0;
    for (int i = 0; i < 100000; i++)
        sum += sluice_random_exponential(&random, 3);
    assert_true(fabs(sum / 100000 - 3) < 4 * 3 / sqrt(100000));
}

static void numbers_below_a_bound_are_all_reached(void **state)
{
    (void)state;
    struct sluice_random random;
    sluice_random_seed(&random, 6);
    unsigned seen[7] = {0};
    for (int i = 0; i < 7000; i++) {
        uint64_t value = sluice_random_below(&random, 7);
        assert_true(value < 7);
        seen[value]++;
    }
    for (int i = 0; i < 7; i++)
        assert_in_range(seen[i], 850, 1150);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_generator_is_xoshiro256_starstar),
        cmocka_unit_test(elementary_functions_agree_with_the_library),
        cmocka_unit_test(poisson_counts_have_mean_and_variance_of_their_law),
        cmocka_unit_test(exponentials_have_their_mean),
        cmocka_unit_test(numbers_below_a_bound_are_all_reached),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
