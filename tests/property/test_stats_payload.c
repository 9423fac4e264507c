/* SPDX-License-Identifier: Apache-2.0
 *
 * Statistics and histogram of payloads against those of the decoded pixels, which are held against
 * plain C elsewhere (tests/unit/stats) and, for the histogram, here: over types, shapes, kinds of
 * counts, masks, saturation values, block sizes and all levels of instructions, every field must be
 * the same to the last bit. Prints its seed; SLUICE_SEED sets it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lz4.h>

#include "core/cpu.h"
#include "readers/stats/payload.h"

#define ROUNDS     1200
#define PIXELS_MAX 40000
#define BINS_MAX   300

static uint64_t seed;

static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static size_t below(size_t bound)
{
    return (size_t)(next_random() % bound);
}

struct image {
    uint32_t width, height;
    enum sluice_dtype dtype;
    size_t count, element_bytes, payload_bytes;
    uint8_t pixels[8 * PIXELS_MAX], planes[8 * PIXELS_MAX], payload[10 * PIXELS_MAX];
    uint32_t mask[PIXELS_MAX];
    uint8_t mask_plane[PIXELS_MAX / 8 + 200];
};

static uint64_t value_of(int kind, size_t i)
{
    uint64_t r = next_random(), few = r & r >> 16 & 15;

    switch (kind) {
    case 0:
        return 0;
    case 1: /* few photons */
        return few & 3;
    case 2: /* and peaks */
        return r % 61 == 0 ? r >> 40 : few;
    case 3: /* and no data in gaps, as a detector has */
        return i % 300 < 40 ? UINT64_MAX : r % 211 == 0 ? r >> 48 : few;
    case 4: /* around the limits of what is small */
        return 12 + r % 8;
    case 5: /* many counts: pixels are the way */
        return r >> 52;
    case 6: /* almost no data, and signs */
        return UINT64_MAX - (r % 5 == 0);
    case 7: /* peaks whose upper planes repeat, all 1 */
        return r % 61 == 0 ? UINT64_MAX << (4 + (r >> 40) % 8) : few;
    default:
        return r;
    }
}

static void make_image(struct image *image)
{
    static const enum sluice_dtype types[] = {SLUICE_U8,  SLUICE_U16, SLUICE_U32, SLUICE_U16,
                                              SLUICE_U32, SLUICE_I16, SLUICE_F32, SLUICE_U64};
    int kind = (int)below(9);

    image->dtype = types[below(8)];
    image->element_bytes = sluice_dtype_bytes(image->dtype);
    image->width = (uint32_t)(below(3) ? below(1500) + 1 : below(100) + 1);
    image->height = (uint32_t)(below(PIXELS_MAX / image->width) + 1);
    if (below(4) == 0) { /* rows that end with words and blocks */
        image->width = 64u << below(7);
        image->height = (uint32_t)below(PIXELS_MAX / image->width) + 1;
    }
    image->count = (size_t)image->width * image->height;
    for (size_t i = 0; i < image->count; i++) {
        uint64_t value = value_of(kind, i);
        if (image->dtype == SLUICE_F32) {
            float real = (float)(value % 4000) / 8 - 3;
            memcpy(image->pixels + 4 * i, &real, sizeof real);
            continue;
        }
        for (size_t b = 0; b < image->element_bytes; b++)
            image->pixels[i * image->element_bytes + b] = (uint8_t)(value >> (8 * b));
    }
    kind = (int)below(3);
    for (size_t i = 0; i < image->count; i++)
        image->mask[i] = kind == 0 ? (next_random() % 100 == 0 ? 8 : 0x10000)
                         : i % image->width % 90 < 9 || kind == 2 ? 1u
                                                                  : 0u;
    sluice_mask_plane_fill(image->mask_plane, image->mask, image->width, image->height);
}

static void put_be(uint8_t *to, uint64_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--, value >>= 8)
        to[i] = (uint8_t)value;
}

static void encode(struct image *image, size_t block_elements)
{
    const size_t size = image->element_bytes, tail = image->count % 8;
    size_t at = 12, done = 0;

    put_be(image->payload, image->count * size, 8);
    put_be(image->payload + 8, block_elements * size, 4);
    while (done < image->count - tail) {
        size_t left = image->count - tail - done;
        size_t n = left < block_elements ? left : block_elements;

        sluice_bitshuffle(image->planes, image->pixels + done * size, n, size);
        int bytes =
            LZ4_compress_default((const char *)image->planes, (char *)image->payload + at + 4,
                                 (int)(n * size), (int)(sizeof image->payload - at - 4));
        assert_true(bytes > 0);
        put_be(image->payload + at, (uint64_t)bytes, 4);
        at += 4 + (size_t)bytes;
        done += n;
    }
    memcpy(image->payload + at, image->pixels + done * size, tail * size);
    image->payload_bytes = at + tail * size;
}

static bool same(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

static void assert_same(const struct sluice_stats *a, const struct sluice_stats *b)
{
    assert_int_equal(a->valid, b->valid);
    assert_int_equal(a->invalid, b->invalid);
    assert_int_equal(a->zero, b->zero);
    assert_int_equal(a->has_saturated, b->has_saturated);
    assert_int_equal(a->saturated, b->saturated);
    assert_int_equal(a->is_float, b->is_float);
    assert_true(a->min == b->min && a->max == b->max && a->sum == b->sum);
    assert_true(same(a->min_float, b->min_float) && same(a->max_float, b->max_float));
    assert_true(same(a->sum_float, b->sum_float));
    assert_true(same(a->mean, b->mean) && same(a->std, b->std));
    assert_true(same(a->com_x, b->com_x) && same(a->com_y, b->com_y));
}

/* Plain C, for the unsigned. */
static void assert_histogram(const struct image *image, const uint32_t *mask, const uint64_t *bins,
                             uint32_t bin_count)
{
    static uint64_t expected[BINS_MAX];

    memset(expected, 0, sizeof expected);
    for (size_t i = 0; i < image->count; i++) {
        uint64_t v = 0, no_data = UINT64_MAX >> (64 - 8 * image->element_bytes);

        for (size_t b = 0; b < image->element_bytes; b++)
            v |= (uint64_t)image->pixels[i * image->element_bytes + b] << (8 * b);
        if (v != no_data && (!mask || (mask[i] & 0xFFFF) == 0))
            expected[v < bin_count - 1 ? v : bin_count - 1]++;
    }
    assert_memory_equal(bins, expected, bin_count * sizeof *bins);
}

static void judge(struct image *image, struct sluice_stats_scratch *scratch, bool masked)
{
    static uint64_t bins[BINS_MAX], pixel_bins[BINS_MAX];
    int64_t limit = (int64_t)(below(2) ? below(20) : next_random() >> below(63) >> 1);
    if (below(4) == 0) /* just what a peak has */
        limit =
            (int64_t)(UINT64_MAX >> (64 - 8 * image->element_bytes) & UINT64_MAX << (4 + below(8)));
    struct sluice_histogram_counts histogram = {bins, (uint32_t)below(BINS_MAX - 1) + 2, 0};
    struct sluice_histogram_counts of_pixels = {pixel_bins, histogram.bin_count, 0};
    struct sluice_stats_channel channel = {image->width,
                                           image->height,
                                           image->dtype,
                                           masked ? image->mask : NULL,
                                           masked ? image->mask_plane : NULL,
                                           below(3) ? &limit : NULL,
                                           below(5) == 0,
                                           NULL};
    struct sluice_span payload = {image->payload, image->payload_bytes};
    struct sluice_stats ours, theirs;

    memset(bins, 0, sizeof bins);
    memset(pixel_bins, 0, sizeof pixel_bins);
    assert_int_equal(
        sluice_stats_payload(&channel, SLUICE_ENCODING_BSLZ4, payload, scratch, &ours, &histogram),
        SLUICE_OK);
    assert_int_equal(sluice_stats_plane(image->pixels, image->width, image->height, image->dtype,
                                        channel.mask, channel.saturation, &theirs),
                     SLUICE_OK);
    if (channel.without_centre)
        theirs.com_x = theirs.com_y = NAN;
    assert_same(&ours, &theirs);
    assert_int_equal(
        sluice_histogram_plane(&of_pixels, image->pixels, image->count, image->dtype, channel.mask),
        SLUICE_OK);
    assert_memory_equal(bins, pixel_bins, sizeof bins);
    assert_int_equal(histogram.negative, of_pixels.negative);
    if (image->dtype <= SLUICE_U64)
        assert_histogram(image, channel.mask, bins, histogram.bin_count);
}

static void payloads_give_what_their_pixels_give(void **state)
{
    static const size_t blocks[] = {8, 64, 512, 1024, 4096, 4104, 8192, 16384};
    static struct image image;
    struct sluice_stats_scratch scratch = {0};

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        make_image(&image);
        encode(&image, blocks[below(2) ? 4 : below(8)]);
        for (int level = 0; level < SLUICE_CPU_LEVEL_COUNT; level++) {
            if (sluice_cpu_limit((enum sluice_cpu_level)level) != (enum sluice_cpu_level)level)
                continue; /* this machine has it not */
            judge(&image, &scratch, round % 2 == 0);
        }
    }
    sluice_cpu_limit(SLUICE_CPU_AVX512);
    sluice_stats_scratch_close(&scratch);
}

static void a_spoilt_payload_is_told_as_the_decoder_tells_it(void **state)
{
    static struct image image;
    struct sluice_stats_scratch scratch = {0};
    struct sluice_stats stats;

    (void)state;
    for (int round = 0; round < 400; round++) {
        if (round % 20 == 0) {
            make_image(&image);
            encode(&image, 4096);
        }
        struct sluice_stats_channel channel = {
            image.width,      image.height, image.dtype, image.mask,
            image.mask_plane, NULL,         false,       NULL};
        size_t at = below(image.payload_bytes);
        uint8_t was = image.payload[at];

        image.payload[at] ^= (uint8_t)(1u << below(8));
        struct sluice_span payload = {image.payload, below(9) ? image.payload_bytes : at};
        assert_int_equal(
            sluice_stats_payload(&channel, SLUICE_ENCODING_BSLZ4, payload, &scratch, &stats, NULL),
            sluice_codec_decode(SLUICE_ENCODING_BSLZ4, payload, image.element_bytes, image.planes,
                                image.count * image.element_bytes, &scratch.codec));
        image.payload[at] = was;
    }
    sluice_stats_scratch_close(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(payloads_give_what_their_pixels_give),
        cmocka_unit_test(a_spoilt_payload_is_told_as_the_decoder_tells_it),
    };
    const char *given = getenv("SLUICE_SEED");

    seed = given != NULL ? strtoull(given, NULL, 0) : 20261122;
    if (seed == 0)
        seed = 1; /* xorshift stays at 0 */
    printf("SLUICE_SEED=%llu\n", (unsigned long long)seed);
    return cmocka_run_group_tests_name("stats: payloads", tests, NULL, NULL);
}
