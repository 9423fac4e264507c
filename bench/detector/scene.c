/* SPDX-License-Identifier: Apache-2.0
 *
 * Exposing a frame is one pass over the pixels with a table look-up each, then the spots.
 *
 * The background depends on the radius only, so each whole radius has the cumulative distribution
 * of its Poisson law in 32-bit fixed point: a count is the number of entries that a 32-bit uniform
 * reaches. Sums of Poisson counts are Poisson counts, so spots are simply added.
 *
 * Spots are those of a crystal of random orientation: a point s of its reciprocal lattice, turned
 * about omega (the horizontal axis, along the detector's fast direction), diffracts as far as it is
 * near the Ewald sphere, in the direction of k0 + s. So spots come, drift a little and go while the
 * crystal turns, and after a whole turn the same ones are there again. */
#include "bench/detector/scene.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/detector/random.h"

#define CUMULATIVE_COUNT  48    /* counts above have a chance below 1e-16 at the largest mean */
#define BACKGROUND_MAX    12.0  /* counts */
#define ABOVE_THRESHOLD_2 0.75  /* of the photons above threshold_1 */
#define WAVELENGTH        1.0   /* angstrom */
#define SPOT_SIGMA        1.1   /* pixel */
#define SPOT_REACH        4     /* pixel: half the box that a spot is drawn in */
#define SPOT_COUNTS       600.0 /* mean of a spot, before its fall-off */
#define MOSAICITY         0.009 /* radian: how far a lattice point is smeared */
#define SPOT_SPACING_MIN  8.0   /* pixel: nearest neighbours */
#define SPOT_SPACING_MAX  45.0
#define OVERLOAD_EVERY    50 /* one spot in so many is OVERLOAD times as strong */
#define OVERLOAD          1000.0

enum { STREAM_MASK = 1, STREAM_FRAME, STREAM_SPOT, STREAM_LATTICE, STREAM_FLAT };

static size_t pixel_count(const struct sluice_scene *scene)
{
    return (size_t)scene->width * scene->height;
}

/* 1/d in 1/angstrom at a radius in pixels. */
static double reciprocal_spacing(const struct sluice_scene *scene, double radius)
{
    double r = radius * scene->settings.model->pixel_size;
    double cos_two_theta = scene->distance / sqrt(scene->distance * scene->distance + r * r);
    return 2 * sqrt((1 - cos_two_theta) / 2) / WAVELENGTH;
}

static double background_at(const struct sluice_scene *scene, double radius)
{
    double stop = 0.012 * scene->width + 1;
    if (radius < stop)
        return 0.02;
    double q = reciprocal_spacing(scene, radius), ring = (q - 0.30) / 0.08;
    double mean = 5.0 * sluice_exact_exp(-q / 0.06)      /* air */
                  + 2.4 * sluice_exact_exp(-ring * ring) /* water, 3.3 angstrom */
                  + 0.9 * sluice_exact_exp(-q / 0.5);    /* Compton and the rest */
    return mean < BACKGROUND_MAX ? mean : BACKGROUND_MAX;
}

static void fill_cumulative(uint32_t *row, double mean)
{
    double probability = sluice_exact_exp(-mean), sum = 0;
    for (int k = 0; k < CUMULATIVE_COUNT; k++) {
        sum += probability;
        probability = probability * mean / (k + 1);
        row[k] = sum >= 1 ? UINT32_MAX : (uint32_t)(sum * 0x1p32);
    }
    row[CUMULATIVE_COUNT - 1] = UINT32_MAX;
}

static uint32_t draw(const uint32_t *row, uint32_t uniform)
{
    uint32_t k = 0;
    while (k < CUMULATIVE_COUNT - 1 && uniform >= row[k])
        k++;
    return k;
}

static void mark_gaps(struct sluice_scene *scene)
{
    const struct sluice_model *model = scene->settings.model;
    uint32_t pitch_x = model->module_width + model->gap_x;
    uint32_t pitch_y = model->module_height + model->gap_y;
    for (uint32_t y = 0; y < scene->height; y++) {
        for (uint32_t x = 0; x < scene->width; x++)
            if (x % pitch_x >= model->module_width || y % pitch_y >= model->module_height)
                scene->mask[(size_t)y * scene->width + x] = SLUICE_MASK_GAP;
    }
}

static void mark_pixels(struct sluice_scene *scene)
{
    struct sluice_random random;
    sluice_random_seed(&random, sluice_random_hash(scene->settings.seed, STREAM_MASK, 0, 0));
    size_t pixels = pixel_count(scene), wanted = 3 + pixels / 100000;
    for (size_t i = 0; i < 2 * wanted;) {
        size_t at = sluice_random_below(&random, pixels);
        if (scene->mask[at])
            continue;
        scene->mask[at] = i % 2 ? SLUICE_MASK_DEAD : SLUICE_MASK_HOT;
        i++;
    }
}

/* Columns of a random rotation: from a quaternion that is uniform on its sphere. */
static void random_rotation(struct sluice_random *random, double rotation[3][3])
{
    double q[4], norm;
    do {
        norm = 0;
        for (int i = 0; i < 4; i++) {
            q[i] = 2 * sluice_random_uniform(random) - 1;
            norm += q[i] * q[i];
        }
    } while (norm > 1 || norm < 0.01);
    double scale = 1 / sqrt(norm), w = q[0] * scale, x = q[1] * scale, y = q[2] * scale,
           z = q[3] * scale;
    const double columns[3][3] = {
        {1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)},
        {2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)},
        {2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)}};
    memcpy(rotation, columns, sizeof columns);
}

/* A slightly oblique cell, as large as the detector can resolve. */
static void orient_crystal(struct sluice_scene *scene)
{
    static const double edges[3] = {1, 1.2, 1.1};
    double spacing = scene->width / 24.0, rotation[3][3];
    spacing = spacing > SPOT_SPACING_MAX   ? SPOT_SPACING_MAX
              : spacing < SPOT_SPACING_MIN ? SPOT_SPACING_MIN
                                           : spacing;
    double unit = spacing * scene->settings.model->pixel_size / (scene->distance * WAVELENGTH);
    struct sluice_random random;
    sluice_random_seed(&random, sluice_random_hash(scene->settings.seed, STREAM_LATTICE, 0, 0));
    random_rotation(&random, rotation);
    for (int v = 0; v < 3; v++)
        for (int i = 0; i < 3; i++)
            scene->lattice[v][i] =
                unit * edges[v] * (rotation[v][i] + 0.1 * rotation[(v + 1) % 3][i]);
}

enum sluice_status sluice_scene_init(struct sluice_scene *scene,
                                     const struct sluice_scene_settings *settings,
                                     struct sluice_error *error)
{
    const struct sluice_model *model = settings->model;
    *scene = (struct sluice_scene){.settings = *settings};
    scene->width = sluice_model_width(model);
    scene->height = sluice_model_height(model);
    scene->beam_center_x = scene->width / 2.0 + 3.4;
    scene->beam_center_y = scene->height / 2.0 - 5.2;
    /* 2 angstrom at the edge of the longer side */
    uint32_t side = scene->width > scene->height ? scene->width : scene->height;
    scene->distance = side / 2.0 * model->pixel_size / 0.5534;
    scene->radius_count = scene->width + scene->height;

    scene->mask = calloc(pixel_count(scene), sizeof *scene->mask);
    scene->background = calloc(scene->radius_count, sizeof *scene->background);
    bool complete = scene->mask && scene->background;
    for (int i = 0; i < 2; i++) {
        scene->counts[i] = calloc(pixel_count(scene), sizeof *scene->counts[i]);
        scene->cumulative[i] =
            calloc((size_t)scene->radius_count * CUMULATIVE_COUNT, sizeof *scene->cumulative[i]);
        complete = complete && scene->counts[i] && scene->cumulative[i];
    }
    if (!complete) {
        sluice_scene_close(scene);
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for a scene of %s",
                                model->name);
    }
    double share = settings->channel_count > 1 ? ABOVE_THRESHOLD_2 : 1;
    for (uint32_t r = 0; r < scene->radius_count; r++) {
        scene->background[r] = background_at(scene, r);
        fill_cumulative(scene->cumulative[0] + (size_t)r * CUMULATIVE_COUNT,
                        scene->background[r] * share);
        fill_cumulative(scene->cumulative[1] + (size_t)r * CUMULATIVE_COUNT,
                        scene->background[r] * (1 - share));
    }
    orient_crystal(scene);
    mark_gaps(scene);
    mark_pixels(scene);
    return SLUICE_OK;
}

void sluice_scene_close(struct sluice_scene *scene)
{
    free(scene->mask);
    free(scene->background);
    for (int i = 0; i < 2; i++) {
        free(scene->cumulative[i]);
        free(scene->counts[i]);
    }
    *scene = (struct sluice_scene){0};
}

static void expose_background(struct sluice_scene *scene, struct sluice_random *random)
{
    bool split = scene->settings.channel_count > 1;
    for (uint32_t y = 0; y < scene->height; y++) {
        double dy = y - scene->beam_center_y;
        size_t row = (size_t)y * scene->width;
        for (uint32_t x = 0; x < scene->width; x++) {
            double dx = x - scene->beam_center_x;
            size_t level = (size_t)sqrt(dx * dx + dy * dy) * CUMULATIVE_COUNT;
            uint64_t uniform = sluice_random_next(random);
            scene->counts[0][row + x] = draw(scene->cumulative[0] + level, (uint32_t)uniform);
            if (split)
                scene->counts[1][row + x] =
                    draw(scene->cumulative[1] + level, (uint32_t)(uniform >> 32));
        }
    }
}

/* Adds `mean` photons' worth to a pixel. */
static void add_photons(struct sluice_scene *scene, struct sluice_random *random, size_t at,
                        double mean)
{
    double share = scene->settings.channel_count > 1 ? ABOVE_THRESHOLD_2 : 1;
    scene->counts[0][at] += (uint32_t)sluice_random_poisson(random, mean * share);
    scene->counts[1][at] += (uint32_t)sluice_random_poisson(random, mean * (1 - share));
}

static void add_spot(struct sluice_scene *scene, struct sluice_random *random, double x, double y,
                     double total)
{
    int64_t cx = (int64_t)floor(x + 0.5), cy = (int64_t)floor(y + 0.5);
    double norm = total / (2 * 3.14159265358979323846 * SPOT_SIGMA * SPOT_SIGMA);
    for (int64_t py = cy - SPOT_REACH; py <= cy + SPOT_REACH; py++) {
        for (int64_t px = cx - SPOT_REACH; px <= cx + SPOT_REACH; px++) {
            if (px < 0 || py < 0 || px >= scene->width || py >= scene->height)
                continue;
            double dx = (double)px - x, dy = (double)py - y;
            double profile = sluice_exact_exp(-(dx * dx + dy * dy) / (2 * SPOT_SIGMA * SPOT_SIGMA));
            add_photons(scene, random, (size_t)py * scene->width + (size_t)px, norm * profile);
        }
    }
}

/* Photons of a reflection, always the same for h k l and its Friedel mate. */
static double spot_counts(const struct sluice_scene *scene, int h, int k, int l)
{
    bool flip = h < 0 || (h == 0 && (k < 0 || (k == 0 && l < 0)));
    uint64_t index = flip ? ((uint64_t)(512 - h) << 20) + ((uint64_t)(512 - k) << 10) + (512 - l)
                          : ((uint64_t)(512 + h) << 20) + ((uint64_t)(512 + k) << 10) + (512 + l);
    struct sluice_random spot;
    sluice_random_seed(&spot, sluice_random_hash(scene->settings.seed, STREAM_SPOT, index, 0));
    double counts = sluice_random_exponential(&spot, SPOT_COUNTS);
    return sluice_random_below(&spot, OVERLOAD_EVERY) == 0 ? counts * OVERLOAD : counts;
}

/* Draws the reflection of a lattice point s, turned already, as far as it diffracts. */
static void expose_reflection(struct sluice_scene *scene, struct sluice_random *random,
                              const int index[3], const double s[3])
{
    double k0 = 1 / WAVELENGTH, kz = k0 + s[2], square = s[0] * s[0] + s[1] * s[1] + s[2] * s[2];
    double away = sqrt(s[0] * s[0] + s[1] * s[1] + kz * kz) - k0; /* from the Ewald sphere */
    double width = MOSAICITY * sqrt(square), relative = away / width;
    if (kz < 0.2 * k0 || relative > 4 || relative < -4)
        return;
    double scale = scene->distance / (kz * scene->settings.model->pixel_size);
    double x = scene->beam_center_x + s[0] * scale, y = scene->beam_center_y + s[1] * scale;
    if (x < 0 || y < 0 || x >= scene->width || y >= scene->height)
        return;
    double total = spot_counts(scene, index[0], index[1], index[2]) *
                   sluice_exact_exp(-relative * relative / 2 - 4 * square);
    if (total > 0.5)
        add_spot(scene, random, x, y, total);
}

/* Indices of lattice points that can lie within `reach` of the origin: |s| is at least the index
 * times this vector's distance from the plane of the other two. */
static int index_max(const struct sluice_scene *scene, int v, double reach)
{
    const double *a = scene->lattice[(v + 1) % 3], *b = scene->lattice[(v + 2) % 3];
    double normal[3] = {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2],
                        a[0] * b[1] - a[1] * b[0]};
    double length = 0, height = 0;
    for (int i = 0; i < 3; i++) {
        length += normal[i] * normal[i];
        height += normal[i] * scene->lattice[v][i];
    }
    return (int)(reach * sqrt(length) / fabs(height));
}

static void expose_spots(struct sluice_scene *scene, uint32_t frame, struct sluice_random *random)
{
    const struct sluice_scene_settings *settings = &scene->settings;
    double sine, cosine,
        half = sqrt(0.25 * scene->width * scene->width + 0.25 * scene->height * scene->height);
    double reach = reciprocal_spacing(scene, half + 10);
    sluice_exact_sincos(settings->rotation_start + (frame + 0.5) * settings->rotation_increment,
                        &sine, &cosine);
    const int max[3] = {index_max(scene, 0, reach), index_max(scene, 1, reach),
                        index_max(scene, 2, reach)};
    double(*lattice)[3] = scene->lattice;
    for (int h = -max[0]; h <= max[0]; h++) {
        for (int k = -max[1]; k <= max[1]; k++) {
            for (int l = -max[2]; l <= max[2]; l++) {
                const int index[3] = {h, k, l};
                double s[3];
                for (int i = 0; i < 3; i++)
                    s[i] = h * lattice[0][i] + k * lattice[1][i] + l * lattice[2][i];
                const double turned[3] = {s[0], s[1] * cosine - s[2] * sine,
                                          s[1] * sine + s[2] * cosine};
                if (h || k || l)
                    expose_reflection(scene, random, index, turned);
            }
        }
    }
}

void sluice_scene_expose(struct sluice_scene *scene, uint32_t frame)
{
    struct sluice_random random;
    sluice_random_seed(&random, sluice_random_hash(scene->settings.seed, STREAM_FRAME, frame, 0));
    expose_background(scene, &random);
    expose_spots(scene, frame, &random);
    for (size_t i = 0; i < pixel_count(scene); i++)
        if (scene->mask[i] & SLUICE_MASK_HOT)
            add_photons(scene, &random, i, 1500);
}

int64_t sluice_scene_saturation(enum sluice_dtype dtype)
{
    switch (sluice_dtype_bytes(dtype)) {
    case 1:
        return dtype == SLUICE_U8 ? 250 : 120;
    case 2:
        return dtype == SLUICE_U16 ? 50000 : 30000;
    default:
        return 1000000;
    }
}

/* Stores a count, or what marks a pixel without data: the largest value of an unsigned type, the
 * smallest of a signed one, NaN. Counts stop one below the largest. */
static void store(void *pixels, size_t i, enum sluice_dtype dtype, uint64_t count, bool no_data)
{
    static const uint64_t largest[SLUICE_DTYPE_COUNT] = {
        [SLUICE_U8] = UINT8_MAX,   [SLUICE_U16] = UINT16_MAX, [SLUICE_U32] = UINT32_MAX,
        [SLUICE_U64] = UINT64_MAX, [SLUICE_I8] = INT8_MAX,    [SLUICE_I16] = INT16_MAX,
        [SLUICE_I32] = INT32_MAX,  [SLUICE_I64] = INT64_MAX,  [SLUICE_F32] = UINT32_MAX,
        [SLUICE_F64] = UINT32_MAX,
    };
    bool is_signed = dtype >= SLUICE_I8 && dtype <= SLUICE_I64;
    uint64_t bits = count < largest[dtype] ? count : largest[dtype] - 1;
    if (no_data)
        bits = largest[dtype] + is_signed; /* two's complement: one above the largest */
    if (dtype == SLUICE_F32)
        ((float *)pixels)[i] = no_data ? NAN : (float)bits;
    else if (dtype == SLUICE_F64)
        ((double *)pixels)[i] = no_data ? NAN : (double)bits;
    else if (sluice_dtype_bytes(dtype) == 1)
        ((uint8_t *)pixels)[i] = (uint8_t)bits;
    else if (sluice_dtype_bytes(dtype) == 2)
        ((uint16_t *)pixels)[i] = (uint16_t)bits;
    else if (sluice_dtype_bytes(dtype) == 4)
        ((uint32_t *)pixels)[i] = (uint32_t)bits;
    else
        ((uint64_t *)pixels)[i] = bits;
}

void sluice_scene_read(const struct sluice_scene *scene, uint32_t channel, void *pixels)
{
    const uint32_t *above = scene->counts[0], *below = scene->counts[1];
    bool with_above = channel < 2, with_below = channel != 1;
    for (size_t i = 0; i < pixel_count(scene); i++) {
        uint64_t count = 0;
        count += with_above ? above[i] : 0;
        count += with_below ? below[i] : 0;
        store(pixels, i, scene->settings.dtype, count,
              scene->mask[i] & (SLUICE_MASK_GAP | SLUICE_MASK_DEAD));
    }
}

/* Mask and flatfield of one threshold. Flatfields are whole multiples of 1/1024, as a calibration
 * of limited precision would give. */
static bool describe_channel(const struct sluice_scene *scene, uint32_t index,
                             struct sluice_channel *channel)
{
    size_t pixels = pixel_count(scene);
    channel->pixel_mask = malloc(pixels * sizeof *channel->pixel_mask);
    channel->flatfield = malloc(pixels * sizeof *channel->flatfield);
    if (!channel->pixel_mask || !channel->flatfield)
        return false;
    memcpy(channel->pixel_mask, scene->mask, pixels * sizeof *channel->pixel_mask);
    struct sluice_random random;
    sluice_random_seed(&random, sluice_random_hash(scene->settings.seed, STREAM_FLAT, index, 0));
    for (size_t i = 0; i < pixels; i++)
        channel->flatfield[i] =
            (float)(1.0 + ((double)sluice_random_below(&random, 65) - 32) / 1024);
    return true;
}

static void describe_beam(const struct sluice_scene *scene, struct sluice_series *series)
{
    const struct sluice_model *model = scene->settings.model;
    series->sensor_thickness = model->sensor_thickness;
    series->beam_center_x = scene->beam_center_x;
    series->beam_center_y = scene->beam_center_y;
    series->pixel_size_x = series->pixel_size_y = model->pixel_size;
    series->detector_translation[0] = series->detector_translation[1] = 0;
    series->detector_translation[2] = scene->distance;
    series->incident_wavelength = WAVELENGTH;
    series->incident_energy = 12398.41984 / WAVELENGTH;
    series->frame_time = scene->settings.frame_time;
    series->count_time = series->frame_time - model->readout_time;
    if (series->count_time <= 0)
        series->count_time = series->frame_time / 2;
    series->detector_readout_time = series->frame_time - series->count_time;
    static const char *const axes[] = {"omega", "chi", "phi", "kappa", "two_theta"};
    series->axis_count = sizeof axes / sizeof axes[0];
    for (uint32_t a = 0; a < series->axis_count; a++) {
        strcpy(series->axes[a].name, axes[a]);
        series->axes[a].start = a == 0 ? scene->settings.rotation_start : 0;
        series->axes[a].increment = a == 0 ? scene->settings.rotation_increment : 0;
    }
}

#define COUNTRATE_TABLE_COUNT 4096

struct sluice_series *sluice_scene_describe(const struct sluice_scene *scene)
{
    static const char *const channels[] = {"threshold_1", "threshold_2", "difference"};
    static const double thresholds[] = {0.5, 0.8}; /* of the beam's energy */
    struct sluice_series *series = sluice_series_create();
    if (!series)
        return NULL;
    series->width = scene->width;
    series->height = scene->height;
    series->dtype = scene->settings.dtype;
    strcpy(series->detector_description, scene->settings.model->description);
    strcpy(series->detector_serial_number, "S-00-0001");
    strcpy(series->sensor_material, "Si");
    describe_beam(scene, series);
    series->has_saturation_value = true;
    series->saturation_value = sluice_scene_saturation(series->dtype);
    series->flatfield_applied = series->pixel_mask_applied = 1;
    series->countrate_correction_applied = series->virtual_pixel_interpolation_applied = 1;
    series->channel_count = scene->settings.channel_count;
    bool complete = true;
    for (uint32_t c = 0; c < series->channel_count && complete; c++) {
        strcpy(series->channels[c].name, channels[c]);
        if (c < 2) {
            series->channels[c].threshold_energy = thresholds[c] * series->incident_energy;
            complete = describe_channel(scene, c, &series->channels[c]);
        }
    }
    series->countrate_table = malloc(COUNTRATE_TABLE_COUNT * sizeof *series->countrate_table);
    if (!complete || !series->countrate_table) {
        sluice_series_destroy(series);
        return NULL;
    }
    series->countrate_table_count = COUNTRATE_TABLE_COUNT;
    for (uint32_t i = 0; i < COUNTRATE_TABLE_COUNT; i++)
        series->countrate_table[i] = i + i * i / 40000;
    return series;
}
