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

static double rotation[2]; /* of the scenes made: start and increment */

static struct sluice_scene make(const char *name, uint32_t channels, enum sluice_dtype dtype,
                                uint64_t seed)
{
    struct sluice_scene_settings settings = {.model = sluice_model_find(name),
                                             .dtype = dtype,
                                             .channel_count = channels,
                                             .frame_time = 0.001,
                                             .rotation_start = rotation[0],
                                             .rotation_increment = rotation[1],
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
                 {"JUNGFRAU 9M", 3264, 3106},  {"jungfrau-16m", 4364, 4144},
                 {"EIGER 1M", 1065, 1030},     {"eiger-4m", 2167, 2070},
                 {"eiger-9m", 3269, 3110},     {"EIGER 16M", 4371, 4150},
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

/* The frames at two angles; how many of the first one's strong pixels are strong in the second. */
static double shared_spots(double first_angle, double second_angle)
{
    rotation[0] = first_angle;
    rotation[1] = second_angle - first_angle;
    struct sluice_scene scene = make("eiger2-1m", 1, SLUICE_U16, 4);
    rotation[0] = rotation[1] = 0;
    size_t strong[2] = {0, 0}, both = 0;
    sluice_scene_expose(&scene, 0);
    uint16_t *first = read_u16(&scene, 0);
    sluice_scene_expose(&scene, 1);
    uint16_t *second = read_u16(&scene, 0);
    for (size_t i = 0; i < (size_t)scene.width * scene.height; i++) {
        bool a = !scene.mask[i] && first[i] > 40, b = !scene.mask[i] && second[i] > 40;
        strong[0] += a;
        strong[1] += b;
        both += a && b;
    }
    free(first);
    free(second);
    sluice_scene_close(&scene);
    print_message("%zu and %zu strong pixels, %zu shared\n", strong[0], strong[1], both);
    assert_true(strong[0] > 50 && strong[1] > 50);
    return (double)both / (double)strong[0];
}

static void spots_stay_come_and_go_as_the_crystal_turns(void **state)
{
    (void)state;
    assert_true(shared_spots(30, 30) > 0.85);               /* a still */
    assert_true(shared_spots(30, 30.1) > 0.7);              /* neighbours of a fine scan */
    assert_true(shared_spots(30, 36) < 0.3);                /* far away: other reflections */
    assert_true(shared_spots(30, 30 + 360) > 0.85);         /* a whole turn */
    assert_true(shared_spots(-330 - 0.5, 30 - 0.5) > 0.85); /* and backwards */
}

/* Centre of mass and counts in a box of 9 x 9, less the border's mean. */
static double centroid(const uint16_t *pixels, uint32_t width, uint32_t x, uint32_t y, double *cy)
{
    double border = 0, sum = 0, moment = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int dy = -4; dy <= 4; dy++) {
            for (int dx = -4; dx <= 4; dx++) {
                size_t at = (size_t)((int64_t)y + dy) * width + (size_t)((int64_t)x + dx);
                bool edge = dy == -4 || dy == 4 || dx == -4 || dx == 4;
                if (pass == 0)
                    border += edge ? pixels[at] / 32.0 : 0;
                if (pass == 0 || edge)
                    continue;
                sum += pixels[at] - border;
                moment += (pixels[at] - border) * dy;
            }
        }
    }
    *cy = sum > 0 ? moment / sum : 0;
    return sum;
}

/* Where a spot at (x, y) pixels from the beam goes, downwards, when its lattice point, now on the
 * Ewald sphere, turns about the horizontal axis. Lengths in units of the sphere's radius. */
static double predicted_drift(const struct sluice_scene *scene, double x, double y, double turn)
{
    double distance = scene->distance / scene->settings.model->pixel_size;
    double norm = sqrt(x * x + y * y + distance * distance);
    double sy = y / norm, sz = distance / norm - 1;
    double ky = sy * cos(turn) - sz * sin(turn), kz = 1 + sy * sin(turn) + sz * cos(turn);
    return ky / kz * distance - y;
}

static bool is_peak(const struct sluice_scene *scene, const uint16_t *pixels, uint32_t x,
                    uint32_t y)
{
    uint16_t top = pixels[(size_t)y * scene->width + x];
    if (top < 60 || top > 20000)
        return false;
    for (int dy = -6; dy <= 6; dy++) {
        for (int dx = -6; dx <= 6; dx++) {
            size_t at = (size_t)((int64_t)y + dy) * scene->width + (size_t)((int64_t)x + dx);
            if (scene->mask[at] || pixels[at] > top)
                return false;
        }
    }
    return true;
}

static void spots_drift_as_points_near_the_ewald_sphere_do(void **state)
{
    (void)state;
    const double turn = 0.4;
    rotation[1] = turn;
    struct sluice_scene scene = make("eiger2-4m", 1, SLUICE_U16, 4);
    rotation[1] = 0;
    double product = 0, square = 0;
    size_t spots = 0;
    sluice_scene_expose(&scene, 0);
    uint16_t *first = read_u16(&scene, 0);
    sluice_scene_expose(&scene, 1);
    uint16_t *second = read_u16(&scene, 0);
    for (uint32_t y = 12; y < scene.height - 12; y++) {
        for (uint32_t x = 12; x < scene.width - 12; x++) {
            double before, after;
            if (!is_peak(&scene, first, x, y) ||
                centroid(first, scene.width, x, y, &before) < 400 ||
                centroid(second, scene.width, x, y, &after) < 400)
                continue;
            double drift = predicted_drift(&scene, x - scene.beam_center_x, y - scene.beam_center_y,
                                           turn * 3.14159265 / 180);
            product += drift * (after - before);
            square += drift * drift;
            spots++;
        }
    }
    print_message("%zu spots, root mean square drift %.2f pixels, %.2f of it seen\n", spots,
                  sqrt(square / (double)spots), product / square);
    assert_true(spots > 20 && square / (double)spots > 0.2);
    assert_true(fabs(product / square - 1) < 0.3);
    free(first);
    free(second);
    sluice_scene_close(&scene);
}

static void every_type_holds_the_same_counts_and_its_own_mark_of_no_data(void **state)
{
    (void)state;
    struct sluice_scene scene = make("s256", 1, SLUICE_U32, 5);
    size_t pixels = (size_t)scene.width * scene.height;
    uint32_t *counts = malloc(pixels * sizeof *counts);
    double *values = malloc(pixels * sizeof *values);
    assert_non_null(counts);
    assert_non_null(values);
    sluice_scene_expose(&scene, 0);
    sluice_scene_read(&scene, 0, counts);
    scene.settings.dtype = SLUICE_F64;
    sluice_scene_read(&scene, 0, values);
    for (size_t i = 0; i < pixels; i++) {
        assert_true(isnan(values[i]) == (counts[i] == UINT32_MAX));
        assert_true(isnan(values[i]) || values[i] == counts[i]);
    }
    scene.settings.dtype = SLUICE_I16;
    int16_t *shorts = (int16_t *)values;
    sluice_scene_read(&scene, 0, shorts);
    for (size_t i = 0; i < pixels; i++)
        assert_int_equal(shorts[i], counts[i] == UINT32_MAX  ? INT16_MIN
                                    : counts[i] >= INT16_MAX ? INT16_MAX - 1
                                                             : (int)counts[i]);
    free(counts);
    free(values);
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
    static const uint64_t expected[3] = {UINT64_C(0x751bd65c46699256), UINT64_C(0x72f0ae0b84b906bb),
                                         UINT64_C(0x6c5facd96867bab1)};
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
        cmocka_unit_test(spots_stay_come_and_go_as_the_crystal_turns),
        cmocka_unit_test(spots_drift_as_points_near_the_ewald_sphere_do),
        cmocka_unit_test(every_type_holds_the_same_counts_and_its_own_mark_of_no_data),
        cmocka_unit_test(threshold_1_is_threshold_2_plus_difference),
        cmocka_unit_test(small_types_saturate_below_the_no_data_value),
        cmocka_unit_test(a_seed_gives_the_same_frame_on_every_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
