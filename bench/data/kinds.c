/* SPDX-License-Identifier: Apache-2.0
 *
 * Each family gives a pixel's value as a double, from its place and a generator of its own; one
 * function turns it into the type. Rates of noise are those of detectors: counts are Poisson's, and
 * read-out noise is normal. */
#include "bench/data/kinds.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#define PI 3.14159265358979323846

struct place {
    uint64_t random;
    double x, y, width, height; /* of the pixel, of the image */
    double limit;               /* largest value of the type: what masked pixels hold */
    double kept;                /* a family's own, 0 at first */
};

struct kind {
    const char *name;
    double (*pixel)(struct place *place, double a, double b);
    double a, b;
    unsigned types;
};

static double uniform(struct place *place)
{
    place->random ^= place->random << 13;
    place->random ^= place->random >> 7;
    place->random ^= place->random << 17;
    return (double)(place->random * UINT64_C(0x2545f4914f6cdd1d) >> 11) * 0x1p-53;
}

static double normal(struct place *place)
{
    const double radius = sqrt(-2 * log(1 - uniform(place)));

    return radius * cos(2 * PI * uniform(place));
}

static double counts(struct place *place, double mean)
{
    double chance, sum, random;
    int count = 0;

    if (mean > 60)
        return fmax(0, rint(mean + sqrt(mean) * normal(place)));
    random = uniform(place);
    for (sum = chance = exp(-mean); random > sum && count < 400; sum += chance)
        chance *= mean / ++count;
    return count;
}

/* ---- families: value of one pixel ---- */

static double flat(struct place *place, double a, double b)
{
    (void)place, (void)b;
    return a;
}

static double masked(struct place *place, double a, double b)
{
    (void)a, (void)b;
    return place->limit;
}

static double poisson(struct place *place, double a, double b)
{
    (void)b;
    return counts(place, a);
}

/* Counts of mean a; gaps between modules and b of all pixels hold the largest value. */
static double with_gaps(struct place *place, double a, double b)
{
    const double value = counts(place, a);
    const bool gap = fmod(place->x, 258) < 4 || fmod(place->y, 130) < 8;

    return gap || uniform(place) < b ? place->limit : value;
}

/* Counts of mean a, and b of all pixels bright, each in its own way. */
static double hot(struct place *place, double a, double b)
{
    const double value = counts(place, a);

    return uniform(place) < b ? floor(uniform(place) * fmin(place->limit, 60000)) : value;
}

static double ring_mean(const struct place *place, double a)
{
    const double dx = place->x - 0.53 * place->width, dy = place->y - 0.47 * place->height;
    const double r = sqrt(dx * dx + dy * dy) / place->width;

    return a * exp(-3 * r) * pow(0.5 + 0.5 * cos(60 * r), 6) + 0.02 * a;
}

/* Rings of height a: without noise, with that of counts. */
static double rings(struct place *place, double a, double b)
{
    (void)b;
    return floor(ring_mean(place, a));
}

static double noisy_rings(struct place *place, double a, double b)
{
    (void)b;
    return counts(place, ring_mean(place, a));
}

/* Bragg spots of up to a counts on a background of b. */
static double spots(struct place *place, double a, double b)
{
    const double dx = fmod(place->x, 61) - 30, dy = fmod(place->y, 47) - 23;
    const double cell = floor(place->x / 61) * 7 + floor(place->y / 47) * 13;
    const double height = a * fmod(cell * 0.618034, 1);

    return counts(place, b + height * exp(-(dx * dx + dy * dy) / 4));
}

/* Electron events, a of them a pixel, each seen by b more pixels behind it. */
static double events(struct place *place, double a, double b)
{
    if (uniform(place) < a)
        place->kept = 1 + floor(uniform(place) * (b + 1));
    if (place->kept < 1)
        return 0;
    place->kept--;
    return 1 + counts(place, 0.4);
}

/* A pedestal of a with read-out noise of b, in steps of 1; in steps of 1/1000 for real types. */
static double readout(struct place *place, double a, double b)
{
    return rint(a + b * normal(place));
}

static double fine_readout(struct place *place, double a, double b)
{
    return a + b * normal(place);
}

/* Counts of mean a times a gain of b, as corrected images have. */
static double corrected(struct place *place, double a, double b)
{
    return counts(place, a) * b;
}

/* Each column has its pedestal around a; noise of b. */
static double columns(struct place *place, double a, double b)
{
    return rint(a + 40 * sin(place->x * 12.9898) + b * normal(place));
}

static double ramp(struct place *place, double a, double b)
{
    return floor(a * place->x + b * place->y);
}

static double smooth(struct place *place, double a, double b)
{
    (void)b;
    return floor(a * (1 + sin(place->x / 37) * cos(place->y / 23)));
}

static double noisy_smooth(struct place *place, double a, double b)
{
    return floor(a * (1 + sin(place->x / 37) * cos(place->y / 23)) + b * fabs(normal(place)));
}

static double repeating(struct place *place, double a, double b)
{
    return fmod(place->x, a) * b;
}

static double checkers(struct place *place, double a, double b)
{
    const bool odd = fmod(floor(place->x / a) + floor(place->y / a), 2) > 0;

    return odd ? b : 0;
}

static double random_bits(struct place *place, double a, double b)
{
    (void)b;
    return floor(uniform(place) * fmin(place->limit + 1, exp2(a)));
}

/* Half of the rows of one mean, half of the other. */
static double two_means(struct place *place, double a, double b)
{
    return counts(place, place->y * 2 < place->height ? a : b);
}

/* A mean that grows from a to b across the image. */
static double growing(struct place *place, double a, double b)
{
    return counts(place, a * pow(b / a, place->y / place->height));
}

#define TYPE(dtype) (1u << (dtype))
#define UNSIGNED    (TYPE(SLUICE_U8) | TYPE(SLUICE_U16) | TYPE(SLUICE_U32))
#define SIGNED      (TYPE(SLUICE_I16) | TYPE(SLUICE_I32))
#define REAL        TYPE(SLUICE_F32)
#define WIDE        (TYPE(SLUICE_U16) | TYPE(SLUICE_U32) | SIGNED)
#define EVERY       (UNSIGNED | SIGNED | REAL)

static const struct kind all[] = {
    {"zero", flat, 0, 0, EVERY},
    {"flat of 7", flat, 7, 0, EVERY},
    {"all masked", masked, 0, 0, EVERY},
    {"counts of 0.001", poisson, 0.001, 0, EVERY},
    {"counts of 0.003", poisson, 0.003, 0, UNSIGNED},
    {"counts of 0.01", poisson, 0.01, 0, EVERY},
    {"counts of 0.02", poisson, 0.02, 0, UNSIGNED},
    {"counts of 0.03", poisson, 0.03, 0, UNSIGNED},
    {"counts of 0.05", poisson, 0.05, 0, EVERY},
    {"counts of 0.07", poisson, 0.07, 0, UNSIGNED},
    {"counts of 0.1", poisson, 0.1, 0, EVERY},
    {"counts of 0.15", poisson, 0.15, 0, UNSIGNED},
    {"counts of 0.2", poisson, 0.2, 0, UNSIGNED},
    {"counts of 0.3", poisson, 0.3, 0, EVERY},
    {"counts of 0.5", poisson, 0.5, 0, UNSIGNED},
    {"counts of 0.7", poisson, 0.7, 0, UNSIGNED},
    {"counts of 1", poisson, 1, 0, EVERY},
    {"counts of 2", poisson, 2, 0, UNSIGNED},
    {"counts of 3", poisson, 3, 0, EVERY},
    {"counts of 5", poisson, 5, 0, UNSIGNED},
    {"counts of 10", poisson, 10, 0, EVERY},
    {"counts of 30", poisson, 30, 0, UNSIGNED},
    {"counts of 100", poisson, 100, 0, EVERY},
    {"counts of 1000", poisson, 1000, 0, WIDE},
    {"counts of 0.02, gaps", with_gaps, 0.02, 0.001, UNSIGNED},
    {"counts of 0.05, gaps", with_gaps, 0.05, 0.001, UNSIGNED},
    {"counts of 0.3, gaps", with_gaps, 0.3, 0.001, UNSIGNED},
    {"counts of 2, gaps", with_gaps, 2, 0.001, UNSIGNED},
    {"hot pixels alone", hot, 0, 0.001, UNSIGNED},
    {"hot pixels, few", hot, 0, 0.0001, UNSIGNED},
    {"counts of 0.05, hot pixels", hot, 0.05, 0.001, UNSIGNED},
    {"counts of 1, hot pixels", hot, 1, 0.001, UNSIGNED},
    {"half 0.05, half 3", two_means, 0.05, 3, UNSIGNED},
    {"half 0.01, half 0.1", two_means, 0.01, 0.1, UNSIGNED},
    {"from 0.01 to 10", growing, 0.01, 10, UNSIGNED},
    {"from 0.001 to 0.3", growing, 0.001, 0.3, UNSIGNED},
    {"rings of 10", rings, 10, 0, UNSIGNED},
    {"rings of 100", rings, 100, 0, EVERY},
    {"rings of 5000", rings, 5000, 0, WIDE},
    {"rings of 0.1, noise", noisy_rings, 0.1, 0, UNSIGNED},
    {"rings of 1, noise", noisy_rings, 1, 0, UNSIGNED},
    {"rings of 10, noise", noisy_rings, 10, 0, EVERY},
    {"rings of 100, noise", noisy_rings, 100, 0, UNSIGNED},
    {"spots of 200 on 0.05", spots, 200, 0.05, UNSIGNED},
    {"spots of 50 on 0.5", spots, 50, 0.5, UNSIGNED},
    {"spots of 5000 on 3", spots, 5000, 3, WIDE},
    {"electrons, 0.003", events, 0.003, 2, UNSIGNED},
    {"electrons, 0.02", events, 0.02, 2, UNSIGNED},
    {"electrons, 0.1", events, 0.1, 2, UNSIGNED},
    {"noise of 1 around 0", readout, 0, 1, SIGNED | REAL},
    {"noise of 3 around 0", readout, 0, 3, SIGNED | REAL},
    {"noise of 0.3 around 0", readout, 0, 0.3, SIGNED | REAL},
    {"noise of 2 around 20", readout, 20, 2, EVERY},
    {"noise of 5 around 1000", readout, 1000, 5, WIDE | REAL},
    {"noise of 0.2 around 100", readout, 100, 0.2, EVERY},
    {"noise of 30 around 8192", readout, 8192, 30, WIDE},
    {"real noise around 0", fine_readout, 0, 0.7, REAL},
    {"real noise around 300", fine_readout, 300, 2.5, REAL},
    {"corrected counts of 0.05", corrected, 0.05, 1.0371, REAL},
    {"corrected counts of 1", corrected, 1, 1.0371, REAL},
    {"corrected counts of 0.1, 12.4 keV", corrected, 0.1, 12.4, REAL},
    {"columns", columns, 100, 0, EVERY},
    {"columns with noise", columns, 100, 1.5, EVERY},
    {"ramp of 1", ramp, 1, 0, EVERY},
    {"slope of 1/4", ramp, 0.25, 0.25, EVERY},
    {"slope of 1/50", ramp, 0.02, 0.01, EVERY},
    {"slope of 3", ramp, 3, 7, WIDE},
    {"smooth, 20", smooth, 20, 0, EVERY},
    {"smooth, 100", smooth, 100, 0, EVERY},
    {"smooth, 10000", smooth, 10000, 0, WIDE},
    {"smooth, 100, some noise", noisy_smooth, 100, 0.5, EVERY},
    {"smooth, 100, noise", noisy_smooth, 100, 3, EVERY},
    {"repeats after 250", repeating, 250, 1, EVERY},
    {"repeats after 48", repeating, 48, 1, EVERY},
    {"repeats after 7, large", repeating, 7, 4099, WIDE | REAL},
    {"checkers of 5", checkers, 5, 90, EVERY},
    {"checkers of 16", checkers, 16, 1, EVERY},
    {"3 random bits", random_bits, 3, 0, UNSIGNED},
    {"7 random bits", random_bits, 7, 0, UNSIGNED},
    {"all random bits", random_bits, 32, 0, UNSIGNED},
};

_Static_assert(sizeof all / sizeof all[0] <= SLUICE_KINDS_MAX, "more kinds than said");

/* ---- into the type ---- */

static double smallest(enum sluice_dtype dtype)
{
    return dtype == SLUICE_I16 ? INT16_MIN : dtype == SLUICE_I32 ? INT32_MIN : 0;
}

static double largest(enum sluice_dtype dtype)
{
    switch (dtype) {
    case SLUICE_U8:
        return UINT8_MAX;
    case SLUICE_U16:
        return UINT16_MAX;
    case SLUICE_I16:
        return INT16_MAX;
    case SLUICE_I32:
        return INT32_MAX;
    default:
        return UINT32_MAX;
    }
}

static void put(uint8_t *to, enum sluice_dtype dtype, double value)
{
    const float real = (float)value;
    const double held = fmin(fmax(value, smallest(dtype)), largest(dtype));
    const uint64_t bits = (uint64_t)(int64_t)floor(held);

    if (dtype == SLUICE_F32) {
        memcpy(to, &real, sizeof real);
        return;
    }
    for (size_t i = 0; i < sluice_dtype_bytes(dtype); i++)
        to[i] = (uint8_t)(bits >> (8 * i));
}

size_t sluice_kind_count(void)
{
    return sizeof all / sizeof all[0];
}

const char *sluice_kind_name(size_t kind)
{
    return all[kind].name;
}

bool sluice_kind_suits(size_t kind, enum sluice_dtype dtype)
{
    return (all[kind].types & TYPE(dtype)) != 0;
}

void sluice_kind_fill(size_t kind, enum sluice_dtype dtype, uint32_t width, uint32_t height,
                      uint64_t seed, void *pixels)
{
    struct place place = {.random = seed * 2 + 1,
                          .width = width,
                          .height = height,
                          .limit = dtype == SLUICE_F32 ? NAN : largest(dtype)};
    uint8_t *to = pixels;

    for (int i = 0; i < 16; i++)
        uniform(&place);
    for (uint32_t y = 0; y < height; y++) {
        for (uint32_t x = 0; x < width; x++, to += sluice_dtype_bytes(dtype)) {
            place.x = x;
            place.y = y;
            put(to, dtype, all[kind].pixel(&place, all[kind].a, all[kind].b));
        }
    }
}
