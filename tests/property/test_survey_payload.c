/* SPDX-License-Identifier: Apache-2.0
 *
 * A survey fed from a payload, block by block beside the basic statistics, against one that gets
 * the decoded plane: the same, bit for bit, for random planes and masks, every type, encoding and
 * level of instructions; and after payloads that turn out to be damaged. Prints its seed;
 * SLUICE_SEED sets it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/codec/codec.h"
#include "core/cpu.h"
#include "readers/stats/payload.h"

#define ROUNDS 12

static uint64_t seed, state;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

struct sample {
    uint32_t width, height;
    enum sluice_dtype dtype;
    enum sluice_encoding encoding;
    size_t bytes, payload_bytes;
    uint8_t *pixels, *payload, *mask_plane;
    uint32_t *mask; /* NULL: none */
};

/* Counts with gaps, or anything; sizes with and without whole blocks and rows across them. */
static void make_sample(struct sample *s)
{
    memset(s, 0, sizeof(*s));
    s->dtype = (enum sluice_dtype)(next_random() % SLUICE_DTYPE_COUNT);
    s->encoding = (enum sluice_encoding)(next_random() % 3);
    s->width = next_random() % 2 ? 512 : 1 + (uint32_t)(next_random() % 700);
    s->height = 1 + (uint32_t)(next_random() % 60);
    size_t pixels = (size_t)s->width * s->height, element = sluice_dtype_bytes(s->dtype);
    int character = (int)(next_random() % 3);
    s->bytes = pixels * element;
    s->pixels = calloc(1, s->bytes + 64);
    for (size_t i = 0; i < pixels; i++) {
        uint64_t r = next_random();
        uint64_t v = character == 0   ? (r % 40 ? r >> 60 : r >> 50)
                     : character == 1 ? r >> 8 & 0x3FF
                                      : r;
        if (r % 61 == 0)
            v = UINT64_MAX;
        memcpy(s->pixels + i * element, &v, element);
    }
    if (next_random() % 3) {
        s->mask = calloc(pixels, sizeof(*s->mask));
        for (size_t i = 0; i < pixels; i++)
            s->mask[i] = next_random() % 30 == 0 || (i / 900) % 6 == 5;
        s->mask_plane = malloc(sluice_mask_plane_bytes(s->width, s->height));
        sluice_mask_plane_fill(s->mask_plane, s->mask, s->width, s->height);
    }
    struct sluice_codec_scratch scratch = {0};
    size_t capacity = sluice_codec_bound(s->encoding, element, s->bytes);
    s->payload = malloc(capacity + 64);
    if (s->encoding == SLUICE_ENCODING_NONE) {
        memcpy(s->payload, s->pixels, s->bytes);
        s->payload_bytes = s->bytes;
    } else {
        assert_int_equal(sluice_codec_encode(s->encoding, s->pixels, s->bytes, element, s->payload,
                                             capacity, &s->payload_bytes, &scratch),
                         SLUICE_OK);
    }
    sluice_codec_scratch_close(&scratch);
}

static void free_sample(struct sample *s)
{
    free(s->pixels);
    free(s->payload);
    free(s->mask);
    free(s->mask_plane);
}

static struct sluice_survey *make_survey(const struct sample *s, const struct sluice_roi *roi,
                                         bool plain)
{
    struct sluice_survey *survey;
    struct sluice_survey_settings settings = {.rois = roi,
                                              .roi_count = 1,
                                              .histogram_bins = plain ? 100 : 33,
                                              .histogram_low = plain ? 0 : -5,
                                              .histogram_width = plain ? 1 : 3,
                                              .radial = true,
                                              .centre_x = 100,
                                              .centre_y = 7.5,
                                              .radial_width = 2,
                                              .top = 9};
    assert_int_equal(
        sluice_survey_create(&settings, s->width, s->height, s->dtype, s->mask, &survey, NULL),
        SLUICE_OK);
    return survey;
}

static void compare(const struct sluice_survey *a, const struct sluice_survey *b)
{
    const struct sluice_survey_settings *s = sluice_survey_settings(a);
    const struct sluice_survey_result *x = sluice_survey_series(a), *y = sluice_survey_series(b);
    assert_int_equal(sluice_survey_images(a), sluice_survey_images(b));
    assert_memory_equal(x->histogram, y->histogram, (s->histogram_bins + 2u) * sizeof(uint64_t));
    assert_true(x->rois->pixels == y->rois->pixels && x->rois->sum == y->rois->sum &&
                x->rois->max == y->rois->max && x->rois->sum_real == y->rois->sum_real &&
                x->rois->max_real == y->rois->max_real);
    for (uint32_t i = 0; i < s->radial_bins; i++)
        assert_true(x->radial[i].pixels == y->radial[i].pixels &&
                    x->radial[i].sum == y->radial[i].sum &&
                    x->radial[i].sum_real == y->radial[i].sum_real);
    assert_int_equal(x->top_count, y->top_count);
    for (uint32_t i = 0; i < x->top_count; i++)
        assert_true(x->top[i].value == y->top[i].value && x->top[i].x == y->top[i].x &&
                    x->top[i].y == y->top[i].y && x->top[i].value_real == y->top[i].value_real &&
                    x->top[i].image == y->top[i].image);
}

static void surveys_of_payloads_are_those_of_planes(void **unused)
{
    (void)unused;
    struct sluice_stats_scratch scratch = {0};
    for (int round = 0; round < ROUNDS * SLUICE_DTYPE_COUNT; round++) {
        struct sample s;
        make_sample(&s);
        struct sluice_roi roi = {"all", s.width / 3, 0, s.width - s.width / 3, s.height};
        bool plain = next_random() % 2;
        struct sluice_survey *want = make_survey(&s, &roi, plain);
        sluice_survey_plane(want, 1, s.pixels);
        sluice_survey_plane(want, 2, s.pixels);
        for (int level = 0; level < SLUICE_CPU_LEVEL_COUNT; level++) {
            sluice_cpu_limit((enum sluice_cpu_level)level);
            struct sluice_survey *got = make_survey(&s, &roi, plain);
            struct sluice_stats stats, plane_stats;
            struct sluice_stats_channel channel = {.width = s.width,
                                                   .height = s.height,
                                                   .dtype = s.dtype,
                                                   .mask = s.mask,
                                                   .mask_plane = s.mask_plane,
                                                   .survey = got};
            struct sluice_span payload = {s.payload, s.payload_bytes};
            assert_int_equal(sluice_stats_plane(s.pixels, s.width, s.height, s.dtype, s.mask, NULL,
                                                &plane_stats),
                             SLUICE_OK);
            for (uint64_t image = 1; image <= 2; image++) {
                /* A damaged one that is begun before leaves no trace. */
                struct sluice_span part = {s.payload, s.payload_bytes / 2};
                sluice_survey_begin(got, 77);
                assert_int_not_equal(
                    sluice_stats_payload(&channel, s.encoding, part, &scratch, &stats, NULL),
                    SLUICE_OK);
                sluice_survey_begin(got, image);
                assert_int_equal(
                    sluice_stats_payload(&channel, s.encoding, payload, &scratch, &stats, NULL),
                    SLUICE_OK);
                sluice_survey_end(got);
                assert_true(stats.sum == plane_stats.sum && stats.valid == plane_stats.valid);
            }
            compare(got, want);
            sluice_survey_close(got);
        }
        sluice_cpu_limit(SLUICE_CPU_AVX512);
        sluice_survey_close(want);
        free_sample(&s);
    }
    sluice_stats_scratch_close(&scratch);
}

int main(void)
{
    const char *given = getenv("SLUICE_SEED");
    seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 2654435761u + 1;
    state = seed ? seed : 1;
    printf("seed %llu\n", (unsigned long long)seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(surveys_of_payloads_are_those_of_planes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
