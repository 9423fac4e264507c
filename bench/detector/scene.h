/* SPDX-License-Identifier: Apache-2.0
 *
 * What a detector in an X-ray beam would count: air scatter and a water ring that fall off with the
 * radius, the shadow of a beam stop, Bragg spots of a crystal that turns about omega, Poisson
 * noise; gaps between modules, dead and hot pixels. The same seed gives the same counts on every
 * machine.
 *
 * Channels are the thresholds of a counting detector: a photon above threshold_1 is above
 * threshold_2 with a fixed chance, so threshold_2 and difference are independent Poisson counts and
 * threshold_1 is their sum, photon by photon.
 *
 * The scene owns its arrays until close. One thread. */
#ifndef SLUICE_BENCH_DETECTOR_SCENE_H
#define SLUICE_BENCH_DETECTOR_SCENE_H

#include "bench/detector/models.h"
#include "core/error.h"
#include "core/series.h"

#define SLUICE_SCENE_CHANNELS_MAX 3 /* threshold_1, threshold_2, difference */

/* Bits of the pixel mask (NXmx). */
#define SLUICE_MASK_GAP  (1u << 0)
#define SLUICE_MASK_DEAD (1u << 1)
#define SLUICE_MASK_HOT  (1u << 3)

struct sluice_scene_settings {
    const struct sluice_model *model;
    enum sluice_dtype dtype;
    uint32_t channel_count; /* 1 to 3 */
    double frame_time;      /* s */
    double rotation_start,
        rotation_increment; /* degree of omega: frame 0 begins at, each turns by */
    uint64_t seed;
};

struct sluice_scene {
    struct sluice_scene_settings settings;
    uint32_t width, height;
    double beam_center_x, beam_center_y; /* pixel */
    double distance;                     /* m */
    double lattice[3][3];                /* reciprocal vectors at omega = 0, 1/angstrom */
    uint32_t *mask;                      /* height x width */
    uint32_t radius_count;
    double *background;      /* mean counts at each whole radius, in pixels */
    uint32_t *cumulative[2]; /* of the background's Poisson distributions, a row a radius */
    uint32_t *counts[2];     /* height x width: photons above threshold_2 (or all), and the rest */
};

/* OK or NO_MEMORY. `scene` is zeroed or closed before. */
enum sluice_status sluice_scene_init(struct sluice_scene *scene,
                                     const struct sluice_scene_settings *settings,
                                     struct sluice_error *error);
void sluice_scene_close(struct sluice_scene *scene);

/* Counts for frame `frame`, kept until the next call. */
void sluice_scene_expose(struct sluice_scene *scene, uint32_t frame);
/* One channel of the exposed frame as the detector sends it: height x width of the settings' type;
 * pixels without data hold the type's largest value (the smallest of a signed type, NaN), counts
 * stop one below the largest. */
void sluice_scene_read(const struct sluice_scene *scene, uint32_t channel, void *pixels);
/* The counts from which a pixel is saturated. */
int64_t sluice_scene_saturation(enum sluice_dtype dtype);
/* All that the start message says, masks and flatfields with it, but the series' id and dates; the
 * caller owns it. NULL: out of memory. */
struct sluice_series *sluice_scene_describe(const struct sluice_scene *scene);

#endif
