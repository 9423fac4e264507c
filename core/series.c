/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: one allocation for the series, one for each array that it owns. Invariant: what was not
 * said is NaN, -1, empty or NULL, never 0, so that no master holds an invented value. */
#include "core/series.h"

#include <math.h>
#include <stdlib.h>

#define PAGE ((size_t)4096)

struct sluice_series *sluice_series_create(void)
{
    struct sluice_series *series = calloc(1, sizeof *series);

    if (series == NULL)
        return NULL;
    series->sensor_thickness = NAN;
    series->beam_center_x = series->beam_center_y = NAN;
    series->pixel_size_x = series->pixel_size_y = NAN;
    for (int i = 0; i < 3; i++)
        series->detector_translation[i] = NAN;
    series->incident_energy = series->incident_wavelength = NAN;
    series->count_time = series->frame_time = series->detector_readout_time = NAN;
    series->flatfield_applied = series->pixel_mask_applied = -1;
    series->countrate_correction_applied = series->virtual_pixel_interpolation_applied = -1;
    for (int i = 0; i < SLUICE_PLANES_MAX; i++)
        series->channels[i].threshold_energy = NAN;
    for (int i = 0; i < SLUICE_AXES_MAX; i++)
        series->axes[i].start = series->axes[i].increment = NAN;
    return series;
}

void *sluice_series_array(size_t bytes)
{
    return bytes <= SIZE_MAX - PAGE ? aligned_alloc(PAGE, (bytes / PAGE + 1) * PAGE) : NULL;
}

void sluice_series_destroy(struct sluice_series *series)
{
    if (series == NULL)
        return;
    for (int i = 0; i < SLUICE_PLANES_MAX; i++) {
        free(series->channels[i].pixel_mask);
        free(series->channels[i].flatfield);
    }
    free(series->countrate_table);
    free(series->countrate_curve);
    free(series->start_message);
    free(series);
}
