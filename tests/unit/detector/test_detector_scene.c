/* SPDX-License-Identifier: Apache-2.0
 *
 * Made frames: geometry of the detectors, gaps, noise, and the relations that hold in real data. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/detector/scene.h"
#include "core/codec/codec.h"

static struct sluice_scene make(const char *name, uint32_t channels, enum sluice_dtype dtype,
                                uint64_t seed)
{
    struct sluice_scene_settings settings = {.model = sluice_model_find(name),
                                             .dtype = dtype,
                                             .channel_count = channels,
                                             .frame_count = 8,
                                             .frame_time = 0.001,
                                             .seed = seed};
    struct sluice_scene scene = {0};
    assert_non_null(settings.model);
    assert_int_equal(sluice_scene_init(&scene, &settings, NULL), SLUICE_OK);
    return scene;
}

static uint16_t *read_u16(const struct sluice_scene *scene, uint32_t channel)
{
    uint16_t *pixels = malloc((size_t)scene->width * scene->height * sizeof *pixels);
    assert_non_null(pixels);
    sluice_scene_read(scene, channel, pixels);
    return pixels;
}

static void detectors_have_the_sizes_of_the_products(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t height, width;
    } cases[] = {{"EIGER2 R 500K", 514, 1030}, {"eiger2-500k", 512, 1028},
                 {"eiger2_1M", 1062, 1028},    {"EIGER2-4M", 2162, 2068},
                 {"eiger2 9m", 3262, 3108},    {"eiger2-16m", 4362, 4148},
                 {"JUNGFRAU 0.5M", 512, 1024}, {"jungfrau-4m", 2164, 2068},
                 {"s256", 256, 256},           {"Tiny", 64, 64}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct sluice_model *model = sluice_model_find(cases[i].name);
        assert_non_null(model);
        assert_int_equal(sluice_model_height(model), cases[i].height);
        assert_int_equal(sluice_model_width(model), cases[i].width);
    }
    assert_null(sluice_model_find("tin"));
    assert_null(sluice_model_find("tiny2"));
    assert_null(sluice_model_find(""));
}

static void gaps_and_dead_pixels_hold_the_no_data_value_and_nothing_else_does(void **state)
{
    (void)state;
    struct sluice_scene scene = make("eiger2-1m", 1, SLUICE_U16, 1);
    sluice_scene_expose(&scene, 0);
    uint16_t *pixels = read_u16(&scene, 0);
    size_t gaps = 0, dead = 0, hot = 0;
    for (size_t i = 0; i < (size_t)scene.width * scene.height; i++) {
        uint32_t mask = scene.mask[i];
        gaps += mask == SLUICE_MASK_GAP;
        dead += mask == SLUICE_MASK_DEAD;
        hot += mask == SLUICE_MASK_HOT;
        bool without_data = mask & (SLUICE_MASK_GAP | SLUICE_MASK_DEAD);
        assert_true((pixels[i] == UINT16_MAX) == without_data);
        if (mask == SLUICE_MASK_HOT)
            assert_true(pixels[i] > 1200);
    }
    assert_int_equal(gaps, 1028 * 38);
    assert_int_equal(dead, 3 + 1062 * 1028 / 100000);
    assert_int_equal(hot, dead);
    free(pixels);
    sluice_scene_close(&scene);
}

/* Mean and variance over good pixels in a ring, away from spots: those above `limit` are left out.
 */
static void ring(const struct sluice_scene *scene, const uint16_t *pixels, double inner,
                 double outer, uint16_t limit, double *mean, double *variance)
{
    double sum = 0, squares = 0, count = 0;
    for (uint32_t y = 0; y < scene->height; y++) {
        for (uint32_t x = 0; x < scene->width; x++) {
            size_t i = (size_t)y * scene->width + x;
            double r = hypot(x - scene->beam_center_x, y - scene->beam_center_y);
            if (scene->mask[i] || r < inner || r >= outer || pixels[i] > limit)
                continue;
            sum += pixels[i];
            squares += (double)pixels[i] * pixels[i];
            count++;
        }
    }
    *mean = sum / count;
    *variance = squares / count - *mean * *mean;
}

static void the_background_falls_off_with_poisson_noise(void **state)
{
    (void)state;
    struct sluice_scene scene = make("eiger2-4m", 1, SLUICE_U16, 3);
    sluice_scene_expose(&scene, 0);
    uint16_t *pixels = read_u16(&scene, 0);
    double near, middle, far, variance;
    ring(&scene, pixels, 40, 80, 40, &near, &variance);
    ring(&scene, pixels, 500, 505, 40, &middle, &variance);
    ring(&scene, pixels, 900, 905, 14, &far, &variance);
    assert_true(near > middle && middle > far);
    /* at 900 pixels the mean is flat over the ring, so the variance is that of Poisson counts */
    double expected = scene.background[902];
    assert_true(fabs(far / expected - 1) < 0.1);
    assert_true(fabs(variance / far - 1) < 0.2);
    free(pixels);
    sluice_scene_close(&scene);
}

static void there_are_spots_and_they_differ_from_frame_to_frame(void **state)
{
    (void)state;
    struct sluice_scene scene = make("eiger2-1m", 1, SLUICE_U16, 4);
    size_t strong[2] = {0, 0}, both = 0;
    sluice_scene_expose(&scene, 0);
    uint16_t *first = read_u16(&scene, 0);
    sluice_scene_expose(&scene, 4);
    uint16_t *second = read_u16(&scene, 0);
    for (size_t i = 0; i < (size_t)scene.width * scene.height; i++) {
        bool a = !scene.mask[i] && first[i] > 40, b = !scene.mask[i] && second[i] > 40;
        strong[0] += a;
        strong[1] += b;
        both += a && b;
    }
    assert_true(strong[0] > 50 && strong[1] > 50);
    assert_true(both < strong[0] / 4);
    free(first);
    free(second);
    sluice_scene_close(&scene);
}

static void threshold_1_is_threshold_2_plus_difference(void **state)
{
    (void)state;
    struct sluice_scene scene = make("s256", 3, SLUICE_U16, 5);
    sluice_scene_expose(&scene, 2);
    uint16_t *planes[3];
    double sums[3] = {0};
    for (uint32_t c = 0; c < 3; c++)
        planes[c] = read_u16(&scene, c);
    for (size_t i = 0; i < (size_t)scene.width * scene.height; i++) {
        if (planes[0][i] < UINT16_MAX - 1)
            assert_int_equal(planes[0][i], planes[1][i] + planes[2][i]);
        for (int c = 0; c < 3; c++)
            sums[c] += scene.mask[i] ? 0 : planes[c][i];
    }
    assert_true(sums[0] > sums[1] && sums[1] > sums[2] && sums[2] > 0);
    for (uint32_t c = 0; c < 3; c++)
        free(planes[c]);
    sluice_scene_close(&scene);
}

static void small_types_saturate_below_the_no_data_value(void **state)
{
    (void)state;
    struct sluice_scene scene = make("eiger2-500k", 1, SLUICE_U8, 6);
    size_t pixels = (size_t)scene.width * scene.height, saturated = 0;
    uint8_t *counts = malloc(pixels);
    assert_non_null(counts);
    for (uint32_t frame = 0; frame < 8; frame++) {
        sluice_scene_expose(&scene, frame);
        sluice_scene_read(&scene, 0, counts);
        for (size_t i = 0; i < pixels; i++)
            saturated += counts[i] > sluice_scene_saturation(SLUICE_U8) && counts[i] < UINT8_MAX;
    }
    assert_true(saturated > 10);
    free(counts);
    sluice_scene_close(&scene);
}

static void a_seed_gives_the_same_frame_on_every_machine(void **state)
{
    (void)state;
    /* Taken once; a change means that frames made by older versions are no longer reproduced. */
    static const uint64_t expected[3] = {UINT64_C(0xfc187713d1b4bad8), UINT64_C(0x78e43415abfc3fb5),
                                         UINT64_C(0xdd99fd1f866ba728)};
    struct sluice_scene scene = make("s256", 3, SLUICE_U16, 7);
    sluice_scene_expose(&scene, 1);
    for (uint32_t c = 0; c < 3; c++) {
        uint16_t *pixels = read_u16(&scene, c);
        uint64_t sum = sluice_checksum((struct sluice_span){
            (const uint8_t *)pixels, (size_t)scene.width * scene.height * sizeof *pixels});
        if (sum != expected[c])
            print_message("channel %u: 0x%016llx\n", c, (unsigned long long)sum);
        assert_true(sum == expected[c]);
        free(pixels);
    }
    sluice_scene_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(detectors_have_the_sizes_of_the_products),
        cmocka_unit_test(gaps_and_dead_pixels_hold_the_no_data_value_and_nothing_else_does),
        cmocka_unit_test(the_background_falls_off_with_poisson_noise),
        cmocka_unit_test(there_are_spots_and_they_differ_from_frame_to_frame),
        cmocka_unit_test(threshold_1_is_threshold_2_plus_difference),
        cmocka_unit_test(small_types_saturate_below_the_no_data_value),
        cmocka_unit_test(a_seed_gives_the_same_frame_on_every_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
