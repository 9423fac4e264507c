/* SPDX-License-Identifier: Apache-2.0
 *
 * The statistics of a survey: hand-made cases, and random planes of every type, at every level of
 * instructions and cut into random pieces, against a plain pixel-by-pixel reference. Integers have
 * to be the same, floats to a few units of the last place. Prints its seed; SLUICE_SEED sets it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/cpu.h"
#include "readers/stats/survey.h"

#define IMAGES 4

static uint64_t seed, state;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* --- planes -------------------------------------------------------------------------------- */

struct planes {
    enum sluice_dtype dtype;
    uint32_t width, height;
    bool is_real, is_signed;
    uint32_t *mask;
    void *images[IMAGES];
};

static bool pixel(const struct planes *p, int image, size_t i, __int128 *whole, double *real)
{
    const void *at = p->images[image];
    *whole = 0;
    *real = 0;
    if (p->mask && (p->mask[i] & 0xFFFF))
        return false;
    switch (p->dtype) {
#define INTEGER(NAME, type, no_data)                                                               \
    case NAME:                                                                                     \
        *whole = ((const type *)at)[i];                                                            \
        return ((const type *)at)[i] != (no_data);
        INTEGER(SLUICE_U8, uint8_t, UINT8_MAX)
        INTEGER(SLUICE_U16, uint16_t, UINT16_MAX)
        INTEGER(SLUICE_U32, uint32_t, UINT32_MAX)
        INTEGER(SLUICE_U64, uint64_t, UINT64_MAX)
        INTEGER(SLUICE_I8, int8_t, INT8_MIN)
        INTEGER(SLUICE_I16, int16_t, INT16_MIN)
        INTEGER(SLUICE_I32, int32_t, INT32_MIN)
        INTEGER(SLUICE_I64, int64_t, INT64_MIN)
    case SLUICE_F32:
        *real = (double)((const float *)at)[i];
        return isfinite(*real);
    default:
        *real = ((const double *)at)[i];
        return isfinite(*real);
    }
}

static void put_pixel(const struct planes *p, void *at, size_t i, uint64_t bits)
{
    size_t bytes = sluice_dtype_bytes(p->dtype);
    double real = (double)(int64_t)bits / 16.0;
    float narrow = (float)real;
    if (p->dtype == SLUICE_F64)
        memcpy((uint8_t *)at + i * 8, &real, 8);
    else if (p->dtype == SLUICE_F32)
        memcpy((uint8_t *)at + i * 4, &narrow, 4);
    else
        memcpy((uint8_t *)at + i * bytes, &bits, bytes); /* little-endian */
}

static uint64_t no_data(const struct planes *p)
{
    return p->is_signed ? UINT64_C(1) << (8 * sluice_dtype_bytes(p->dtype) - 1) : UINT64_MAX;
}

/* Of one of several characters: sparse counts, a broad distribution, anything, one value. */
static uint64_t draw(const struct planes *p, int character)
{
    uint64_t r = next_random();
    int64_t sign = p->is_signed && r & 1 ? -1 : 1;
    switch (character) {
    case 0:
        return (uint64_t)(sign * (int64_t)(r >> 60 ? 0 : r >> 8 & 15));
    case 1:
        return (uint64_t)(sign * (int64_t)(r >> 8 & 0xFFF));
    case 2:
        return r;
    case 3:
        return r >> 54 ? r >> 8 & 3 : r >> 3;
    default:
        return 5;
    }
}

static void make_planes(struct planes *p, enum sluice_dtype dtype, uint32_t width, uint32_t height,
                        bool masked)
{
    size_t pixels = (size_t)width * height;
    memset(p, 0, sizeof(*p));
    p->dtype = dtype;
    p->width = width;
    p->height = height;
    p->is_real = dtype == SLUICE_F32 || dtype == SLUICE_F64;
    p->is_signed = dtype >= SLUICE_I8 && dtype <= SLUICE_I64;
    if (masked) {
        p->mask = calloc(pixels, sizeof(*p->mask));
        for (size_t i = 0; i < pixels; i++)
            p->mask[i] =
                next_random() % 23 == 0 || (i / 300) % 5 == 4 ? 1u << next_random() % 20 : 0;
    }
    for (int k = 0; k < IMAGES; k++) {
        int character = (int)(next_random() % 5);
        uint64_t gaps = next_random() % 3 == 0 ? UINT64_MAX : 2 + next_random() % 50;
        p->images[k] = calloc(pixels, sluice_dtype_bytes(dtype));
        for (size_t i = 0; i < pixels; i++) {
            put_pixel(p, p->images[k], i, draw(p, character));
            if (next_random() % gaps == 0) {
                put_pixel(p, p->images[k], i, no_data(p));
                if (dtype == SLUICE_F32)
                    ((float *)p->images[k])[i] = INFINITY;
                if (dtype == SLUICE_F64)
                    ((double *)p->images[k])[i] = NAN;
            }
        }
    }
}

static void free_planes(struct planes *p)
{
    free(p->mask);
    for (int k = 0; k < IMAGES; k++)
        free(p->images[k]);
}

/* --- a plain reference --------------------------------------------------------------------- */

static bool near(double ours, long double theirs, long double scale)
{
    return fabsl((long double)ours - theirs) <= 1e-12L * (fabsl(theirs) + scale);
}

/* Images [from, to) together. */
static void check_roi(const struct planes *p, int from, int to, const struct sluice_roi *roi,
                      const struct sluice_roi_sum *got)
{
    uint64_t count = 0;
    __int128 sum = 0, max = 0;
    long double total = 0, scale = 0, largest = 0;
    for (int k = from; k < to; k++) {
        for (uint32_t y = roi->y; y < roi->y + roi->height; y++) {
            for (uint32_t x = roi->x; x < roi->x + roi->width; x++) {
                __int128 w;
                double d;
                if (!pixel(p, k, (size_t)y * p->width + x, &w, &d))
                    continue;
                max = count == 0 || w > max ? w : max;
                largest = count == 0 || d > largest ? d : largest;
                count++;
                sum += w;
                total += d;
                scale += fabs(d);
            }
        }
    }
    assert_int_equal(got->pixels, count);
    assert_true(got->sum == sum);
    assert_true(count == 0 || got->max == max);
    assert_true(near(got->sum_real, total, scale));
    assert_true(count == 0 || got->max_real == (double)largest);
}

static void check_histogram(const struct planes *p, int from, int to,
                            const struct sluice_survey_settings *s, const uint64_t *got)
{
    uint64_t *want = calloc(s->histogram_bins + 2u, sizeof(*want));
    for (int k = from; k < to; k++) {
        for (size_t i = 0; i < (size_t)p->width * p->height; i++) {
            __int128 w;
            double d;
            if (!pixel(p, k, i, &w, &d))
                continue;
            if (p->is_real)
                w = (__int128)floor((d - (double)s->histogram_low) / (double)s->histogram_width);
            else if (w >= s->histogram_low)
                w = (w - s->histogram_low) / (__int128)s->histogram_width;
            else
                w = -1;
            want[w < 0 ? 0 : w < s->histogram_bins ? (uint32_t)w + 1 : s->histogram_bins + 1]++;
        }
    }
    assert_memory_equal(got, want, (s->histogram_bins + 2u) * sizeof(*want));
    free(want);
}

static void check_radial(const struct planes *p, int from, int to,
                         const struct sluice_survey_settings *s,
                         const struct sluice_radial_bin *got)
{
    uint64_t *count = calloc(s->radial_bins, sizeof(*count));
    __int128 *sum = calloc(s->radial_bins, sizeof(*sum));
    long double *total = calloc(s->radial_bins, sizeof(*total));
    long double *scale = calloc(s->radial_bins, sizeof(*scale));
    for (int k = from; k < to; k++) {
        for (size_t i = 0; i < (size_t)p->width * p->height; i++) {
            __int128 w;
            double d, x = (double)(i % p->width), y = (double)(i / p->width);
            double r =
                sqrt((x - s->centre_x) * (x - s->centre_x) + (y - s->centre_y) * (y - s->centre_y));
            uint32_t bin = (uint32_t)(r / s->radial_width);
            bin = bin < s->radial_bins ? bin : s->radial_bins - 1;
            if (!pixel(p, k, i, &w, &d))
                continue;
            count[bin]++;
            sum[bin] += w;
            total[bin] += d;
            scale[bin] += fabs(d);
        }
    }
    for (uint32_t b = 0; b < s->radial_bins; b++) {
        assert_int_equal(got[b].pixels, count[b]);
        assert_true(got[b].sum == sum[b]);
        assert_true(near(got[b].sum_real, total[b], scale[b]));
    }
    free(count);
    free(sum);
    free(total);
    free(scale);
}

/* Each of them is there, in order, and no other is larger than the last. */
static void check_top(const struct planes *p, int from, int to, uint32_t wanted,
                      const struct sluice_survey_result *got)
{
    uint64_t valid = 0, before_last = 0;
    for (int k = from; k < to; k++) {
        for (size_t i = 0; i < (size_t)p->width * p->height; i++) {
            __int128 w;
            double d;
            if (!pixel(p, k, i, &w, &d))
                continue;
            valid++;
            if (got->top_count == 0)
                continue;
            const struct sluice_top_pixel *last = &got->top[got->top_count - 1];
            uint64_t place = ((uint64_t)(k - from) << 32) + i;
            uint64_t last_place =
                ((last->image - (uint64_t)from) << 32) + (uint64_t)last->y * p->width + last->x;
            bool equal = w == last->value && d == last->value_real;
            if (w > last->value || d > last->value_real || (equal && place < last_place))
                before_last++;
        }
    }
    assert_int_equal(got->top_count, valid < wanted ? valid : wanted);
    assert_int_equal(before_last, got->top_count ? got->top_count - 1 : 0);
    for (uint32_t t = 0; t < got->top_count; t++) {
        const struct sluice_top_pixel *a = &got->top[t], *b = t ? a - 1 : a;
        __int128 w;
        double d;
        assert_true(pixel(p, (int)a->image, (size_t)a->y * p->width + a->x, &w, &d));
        assert_true(a->value == w && a->value_real == d);
        bool equal = a->value == b->value && a->value_real == b->value_real;
        assert_true(b->value >= a->value && b->value_real >= a->value_real);
        assert_true(t == 0 || !equal || b->image < a->image ||
                    (b->image == a->image &&
                     (uint64_t)b->y * p->width + b->x < (uint64_t)a->y * p->width + a->x));
    }
}

static void check_running(const struct planes *p, const struct sluice_survey *survey)
{
    size_t pixels = (size_t)p->width * p->height, bytes = sluice_dtype_bytes(p->dtype);
    double *mean = calloc(pixels, sizeof(*mean)), *variance = calloc(pixels, sizeof(*variance));
    int64_t *sum = calloc(pixels, sizeof(*sum));
    uint32_t *images = calloc(pixels, sizeof(*images));
    uint8_t *max = calloc(pixels, bytes);
    size_t cut = next_random() % (pixels + 1);
    const struct sluice_running_part head = {mean, variance, max, sum, images};
    const struct sluice_running_part tail = {mean + cut, variance + cut, max + cut * bytes,
                                             sum + cut, images + cut};
    sluice_survey_running(survey, 0, cut, &head);
    sluice_survey_running(survey, cut, pixels - cut, &tail);
    struct planes as_image = *p;
    as_image.images[0] = max;
    for (size_t i = 0; i < pixels; i++) {
        uint64_t n = 0;
        __int128 w, total = 0, largest = 0;
        double d, top = 0;
        long double real = 0, spread = 0, scale = 0;
        for (int k = 0; k < IMAGES; k++) {
            if (!pixel(p, k, i, &w, &d))
                continue;
            largest = n == 0 || w > largest ? w : largest;
            top = n == 0 || d > top ? d : top;
            n++;
            total += w;
            real += p->is_real ? (long double)d : (long double)w;
            scale = fmaxl(scale, fabsl(p->is_real ? (long double)d : (long double)w));
        }
        assert_int_equal(images[i], n);
        bool has_max = pixel(&as_image, 0, i, &w, &d);
        assert_int_equal(has_max, n > 0);
        if (n == 0) {
            assert_true(isnan(mean[i]) && isnan(variance[i]) && sum[i] == 0);
            continue;
        }
        long double average = real / (long double)n;
        for (int k = 0; k < IMAGES; k++) {
            __int128 v;
            double e;
            if (pixel(p, k, i, &v, &e)) {
                long double off = (p->is_real ? (long double)e : (long double)v) - average;
                spread += off * off;
            }
        }
        assert_true(w == largest && d == top);
        assert_true(p->is_real || (uint64_t)sum[i] == (uint64_t)total);
        assert_true(near(mean[i], average, scale));
        assert_true(near(variance[i], spread / (long double)n, scale * scale * 1e-6L));
    }
    free(mean);
    free(variance);
    free(sum);
    free(images);
    free(max);
}

/* --- one survey ---------------------------------------------------------------------------- */

static void check_all(const struct planes *p, const struct sluice_survey_settings *settings)
{
    struct sluice_survey *survey;
    struct sluice_error error = {0};
    assert_int_equal(
        sluice_survey_create(settings, p->width, p->height, p->dtype, p->mask, &survey, &error),
        SLUICE_OK);
    const struct sluice_survey_settings *s = sluice_survey_settings(survey);
    uint64_t pixels = (uint64_t)p->width * p->height;
    for (int k = 0; k < IMAGES; k++) {
        const uint8_t *from = p->images[k];
        sluice_survey_begin(survey, (uint64_t)k);
        for (uint64_t done = 0, piece; done < pixels; done += piece) {
            piece = next_random() % 4 ? 1 + next_random() % 5000 : 2048;
            piece = piece < pixels - done ? piece : pixels - done;
            sluice_survey_add(survey, from + done * sluice_dtype_bytes(p->dtype), piece);
        }
        sluice_survey_end(survey);
        const struct sluice_survey_result *got = sluice_survey_image(survey);
        for (uint32_t r = 0; r < s->roi_count; r++)
            check_roi(p, k, k + 1, &s->rois[r], &got->rois[r]);
        check_histogram(p, k, k + 1, s, got->histogram);
        check_radial(p, k, k + 1, s, got->radial);
        check_top(p, k, k + 1, s->top, got);
    }
    const struct sluice_survey_result *all = sluice_survey_series(survey);
    for (uint32_t r = 0; r < s->roi_count; r++)
        check_roi(p, 0, IMAGES, &s->rois[r], &all->rois[r]);
    check_histogram(p, 0, IMAGES, s, all->histogram);
    check_radial(p, 0, IMAGES, s, all->radial);
    check_top(p, 0, IMAGES, s->top, all);
    check_running(p, survey);
    assert_int_equal(sluice_survey_images(survey), IMAGES);
    sluice_survey_close(survey);
}

static void random_settings(struct sluice_survey_settings *s, struct sluice_roi *rois,
                            uint32_t width, uint32_t height)
{
    static const int64_t lows[] = {0, 0, 0, -20, 3, -3000000000, INT64_MIN};
    static const uint64_t widths[] = {1, 1, 2, 3, 1000, UINT64_C(1) << 33, UINT64_MAX};
    memset(s, 0, sizeof(*s));
    for (int r = 0; r < 3; r++) {
        rois[r].x = (uint32_t)(next_random() % width);
        rois[r].y = (uint32_t)(next_random() % height);
        rois[r].width = 1 + (uint32_t)(next_random() % (width - rois[r].x));
        rois[r].height = 1 + (uint32_t)(next_random() % (height - rois[r].y));
    }
    rois[0] = (struct sluice_roi){.width = width, .height = height};
    s->rois = rois;
    s->roi_count = 3;
    s->histogram_bins = 1 + (uint32_t)(next_random() % 300);
    s->histogram_low = lows[next_random() % 7];
    s->histogram_width = widths[next_random() % 7];
    s->radial = true;
    s->centre_x = (double)(next_random() % 2000) / 7 - 30;
    s->centre_y = (double)(next_random() % 2000) / 7 - 30;
    s->radial_width = next_random() % 2 ? 0.5 + (double)(next_random() % 40) / 9 : 0;
    s->radial_bins = 1 + (uint32_t)(next_random() % 200);
    s->top = 1 + (uint32_t)(next_random() % 60);
    s->running = true;
}

static void every_statistic_is_the_plain_ones_for_all_types_and_levels(void **unused)
{
    (void)unused;
    for (int round = 0; round < 6; round++) {
        for (int dtype = 0; dtype < SLUICE_DTYPE_COUNT; dtype++) {
            uint32_t width = 1 + (uint32_t)(next_random() % 400);
            uint32_t height = 1 + (uint32_t)(next_random() % 40);
            struct sluice_roi rois[3] = {{{0}, 0, 0, 0, 0}};
            struct sluice_survey_settings s;
            struct planes p;
            random_settings(&s, rois, width, height);
            make_planes(&p, (enum sluice_dtype)dtype, width, height, next_random() % 4 != 0);
            for (int level = 0; level < SLUICE_CPU_LEVEL_COUNT; level++) {
                if (sluice_cpu_limit((enum sluice_cpu_level)level) != (unsigned)level)
                    continue; /* this machine has less */
                check_all(&p, &s);
            }
            sluice_cpu_limit(SLUICE_CPU_AVX512);
            free_planes(&p);
        }
    }
}

/* --- by hand ------------------------------------------------------------------------------- */

static void sums_of_the_series_stay_exact_when_their_low_words_overflow(void **unused)
{
    (void)unused;
    enum { COUNT = 70, TURNS = 3000 };
    static const int64_t values[] = {INT32_MAX, -2147483646, 65535, -40000, 32767, 60000, 1, 0};
    for (int level = 0; level < SLUICE_CPU_LEVEL_COUNT; level++) {
        sluice_cpu_limit((enum sluice_cpu_level)level);
        for (int is_signed = 0; is_signed < 2; is_signed++) {
            struct sluice_survey_settings s = {.running = true};
            struct sluice_survey *survey;
            uint32_t pixels[COUNT], images[COUNT];
            double variance[COUNT];
            int64_t sum[COUNT];
            assert_int_equal(sluice_survey_create(&s, COUNT, 1, is_signed ? SLUICE_I32 : SLUICE_U32,
                                                  NULL, &survey, NULL),
                             SLUICE_OK);
            for (int turn = 0; turn < TURNS; turn++) {
                for (int i = 0; i < COUNT; i++) { /* the value, and in turn one less */
                    int64_t v = values[i % 8] - (turn & 1);
                    pixels[i] = is_signed ? (uint32_t)v : (uint32_t)v & 0xFFFFFFFE;
                }
                sluice_survey_plane(survey, (uint64_t)turn, pixels);
            }
            const struct sluice_running_part part = {
                .variance = variance, .sum = sum, .images = images};
            sluice_survey_running(survey, 0, COUNT, &part);
            for (int i = 0; i < COUNT; i++) {
                int64_t v = values[i % 8];
                int64_t a = is_signed ? v : (int64_t)((uint32_t)v & 0xFFFFFFFE);
                int64_t b = is_signed ? v - 1 : (int64_t)((uint32_t)(v - 1) & 0xFFFFFFFE);
                double half = (double)(a - b) / 2;
                assert_int_equal(images[i], TURNS);
                assert_true(sum[i] == (a + b) * TURNS / 2);
                assert_true(variance[i] == half * half);
            }
            sluice_survey_close(survey);
        }
    }
    sluice_cpu_limit(SLUICE_CPU_AVX512);
}

static void a_radial_profile_of_a_count_ends_at_the_farthest_pixel(void **unused)
{
    (void)unused;
    uint8_t pixels[5 * 5];
    memset(pixels, 3, sizeof(pixels));
    pixels[0] = UINT8_MAX; /* no data */
    struct sluice_survey_settings s = {
        .radial = true, .centre_x = 2, .centre_y = 2, .radial_bins = 2};
    struct sluice_survey *survey;
    assert_int_equal(sluice_survey_create(&s, 5, 5, SLUICE_U8, NULL, &survey, NULL), SLUICE_OK);
    sluice_survey_plane(survey, 0, pixels);
    const struct sluice_radial_bin *bins = sluice_survey_image(survey)->radial;
    assert_int_equal(sluice_survey_settings(survey)->radial_bins, 2);
    assert_true(fabs(sluice_survey_settings(survey)->radial_width - sqrt(8) / 2) < 1e-12);
    assert_int_equal(bins[0].pixels, 5); /* the centre and its four neighbours: r <= 1.41 */
    assert_int_equal(bins[1].pixels, 19);
    assert_true(bins[0].sum == 15 && bins[1].sum == 57);
    sluice_survey_close(survey);
}

static void of_equal_pixels_the_first_ones_are_the_brightest(void **unused)
{
    (void)unused;
    uint16_t pixels[64 * 40];
    for (size_t i = 0; i < sizeof(pixels) / sizeof(*pixels); i++)
        pixels[i] = 7;
    pixels[2000] = 9;
    pixels[130] = UINT16_MAX;
    struct sluice_survey_settings s = {.top = 4};
    struct sluice_survey *survey;
    assert_int_equal(sluice_survey_create(&s, 64, 40, SLUICE_U16, NULL, &survey, NULL), SLUICE_OK);
    sluice_survey_plane(survey, 5, pixels);
    sluice_survey_plane(survey, 6, pixels);
    const struct sluice_survey_result *image = sluice_survey_image(survey);
    const struct sluice_survey_result *series = sluice_survey_series(survey);
    assert_int_equal(image->top_count, 4);
    assert_true(image->top[0].value == 9 && image->top[0].x == 2000 % 64 &&
                image->top[0].y == 2000 / 64);
    for (uint32_t t = 1; t < 4; t++)
        assert_true(image->top[t].value == 7 && image->top[t].x == t - 1 && image->top[t].y == 0);
    assert_true(series->top_count == 4 && series->top[0].image == 5 && series->top[1].image == 6 &&
                series->top[0].value == 9 && series->top[1].value == 9 &&
                series->top[2].value == 7);
    sluice_survey_close(survey);
}

static enum sluice_status create(struct sluice_survey_settings s, enum sluice_dtype dtype,
                                 struct sluice_error *error)
{
    struct sluice_survey *survey;
    enum sluice_status status = sluice_survey_create(&s, 100, 50, dtype, NULL, &survey, error);
    sluice_survey_close(survey);
    return status;
}

static void what_cannot_be_computed_is_refused_with_a_reason(void **unused)
{
    (void)unused;
    const struct sluice_roi outside[] = {{"spot", 90, 0, 11, 1},
                                         {"spot", 0, 50, 1, 1},
                                         {"spot", 0, 0, 0, 5},
                                         {"spot", UINT32_MAX, 0, UINT32_MAX, 1}};
    struct sluice_error error = {0};
    for (int i = 0; i < 4; i++) {
        struct sluice_survey_settings s = {.rois = &outside[i], .roi_count = 1};
        sluice_error_clear(&error);
        assert_int_equal(create(s, SLUICE_U16, &error), SLUICE_USAGE);
        assert_non_null(strstr(error.message, "spot"));
        assert_non_null(strstr(error.message, "100 wide and 50 high"));
    }
    struct sluice_survey_settings none = {0}, bins = {.histogram_bins = 65537},
                                  top = {.top = 10001},
                                  nowhere = {.radial = true, .centre_x = NAN, .radial_width = 1},
                                  fine = {.radial = true, .radial_width = 1e-3};
    assert_int_equal(create(none, SLUICE_DTYPE_COUNT, NULL), SLUICE_UNSUPPORTED);
    assert_int_equal(create(bins, SLUICE_U16, NULL), SLUICE_USAGE);
    assert_int_equal(create(top, SLUICE_U16, NULL), SLUICE_USAGE);
    assert_int_equal(create(nowhere, SLUICE_U16, NULL), SLUICE_USAGE);
    assert_int_equal(create(fine, SLUICE_U16, NULL), SLUICE_USAGE);
    assert_int_equal(create(none, SLUICE_U16, NULL), SLUICE_OK);
}

int main(void)
{
    const char *given = getenv("SLUICE_SEED");
    seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 2654435761u + 1;
    state = seed ? seed : 1;
    printf("seed %llu\n", (unsigned long long)seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_statistic_is_the_plain_ones_for_all_types_and_levels),
        cmocka_unit_test(sums_of_the_series_stay_exact_when_their_low_words_overflow),
        cmocka_unit_test(a_radial_profile_of_a_count_ends_at_the_farthest_pixel),
        cmocka_unit_test(of_equal_pixels_the_first_ones_are_the_brightest),
        cmocka_unit_test(what_cannot_be_computed_is_refused_with_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
