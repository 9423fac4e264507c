/* SPDX-License-Identifier: Apache-2.0
 *
 * The detectors that can be simulated, as one table of their makers' geometry: modules in a grid
 * with gaps between them. Lengths in pixels (width = fast axis x), pixel size and sensor in m. */
#ifndef SLUICE_BENCH_DETECTOR_MODELS_H
#define SLUICE_BENCH_DETECTOR_MODELS_H

#include <stdint.h>

struct sluice_model {
    const char *name;        /* what a user types: "eiger2-16m" */
    const char *description; /* what the start message says */
    uint32_t modules_x, modules_y;
    uint32_t module_width, module_height;
    uint32_t gap_x, gap_y;
    double pixel_size, sensor_thickness;
    double readout_time; /* s */
};

uint32_t sluice_model_width(const struct sluice_model *model);
uint32_t sluice_model_height(const struct sluice_model *model);

/* Entry `index` of the table; NULL past the last. */
const struct sluice_model *sluice_model_at(uint32_t index);
/* By name; case, blanks, '-' and '_' do not matter ("EIGER2 16M" is eiger2-16m). NULL: unknown. */
const struct sluice_model *sluice_model_find(const char *name);

#endif
