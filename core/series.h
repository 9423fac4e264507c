/* SPDX-License-Identifier: Apache-2.0
 *
 * The metadata of one series: what the detector's start message said, in the units of the masters,
 * free of any protocol. Made by a protocol decoder (or by the source for a missed start), owned by
 * the source until a frame of kind OPEN or ADOPT passes it to the writer, freed there at the close.
 * Nothing here is on the path of an image.
 *
 * Doubles are NaN, texts empty and pointers NULL where the detector said nothing. A width of 0 says
 * that size and type of the images are not known: the first image fills them in. */
#ifndef SLUICE_CORE_SERIES_H
#define SLUICE_CORE_SERIES_H

#include "core/frame.h"

#define SLUICE_UNIQUE_ID_BYTES 128
#define SLUICE_TEXT_BYTES      256
#define SLUICE_AXES_MAX        16

struct sluice_axis {
    char name[SLUICE_NAME_BYTES];
    double start, increment; /* degree; increment an image */
};

struct sluice_channel {
    char name[SLUICE_NAME_BYTES]; /* the detector's, as sent */
    double threshold_energy;      /* eV */
    uint32_t *pixel_mask;         /* height × width, row-major, owned */
    float *flatfield;             /* height × width, row-major, owned */
};

struct sluice_series {
    uint64_t series_id;
    char unique_id[SLUICE_UNIQUE_ID_BYTES]; /* empty: the protocol has none */
    bool start_missed;                      /* opened by an image: nearly everything is unknown */

    uint32_t width, height;
    enum sluice_dtype dtype;
    uint64_t number_of_images; /* as announced; 0: unknown */

    uint32_t channel_count;
    struct sluice_channel channels[SLUICE_PLANES_MAX];

    uint32_t axis_count;
    struct sluice_axis axes[SLUICE_AXES_MAX];

    char arm_date[SLUICE_NAME_BYTES];    /* ISO 8601 as sent */
    char series_date[SLUICE_NAME_BYTES]; /* ISO 8601 of the first image, where images carry one */
    char detector_description[SLUICE_TEXT_BYTES];
    char detector_serial_number[SLUICE_TEXT_BYTES];
    char sensor_material[SLUICE_TEXT_BYTES];
    char sample_name[SLUICE_TEXT_BYTES]; /* these two from the user data of the start message */
    char source_name[SLUICE_TEXT_BYTES];
    double sensor_thickness;             /* m */
    double beam_center_x, beam_center_y; /* pixel */
    double pixel_size_x, pixel_size_y;   /* m */
    double detector_translation[3];      /* m */
    double incident_energy;              /* eV */
    double incident_wavelength;          /* angstrom */
    double count_time, frame_time;       /* s */
    double detector_readout_time;        /* s; NaN: frame_time - count_time */
    bool has_saturation_value;
    int64_t saturation_value;   /* counts */
    uint32_t bit_depth_readout; /* 0: unknown */

    /* -1 unknown, else 0 or 1 */
    int flatfield_applied, pixel_mask_applied, countrate_correction_applied,
        virtual_pixel_interpolation_applied;

    uint32_t *countrate_table; /* owned */
    size_t countrate_table_count;
    float *countrate_curve; /* as Stream V1 has it: rows × columns, owned */
    uint32_t countrate_curve_shape[2];

    char *start_message; /* every small field of the start message as JSON, ASCII only; owned */
};

/* A zeroed series with every number unknown; NULL when memory is out. */
struct sluice_series *sluice_series_create(void);
/* Memory for an array of pixels that it is to own, at a whole page, so that the disk can be given
 * it as it is; free() frees it. NULL when memory is out. */
void *sluice_series_array(size_t bytes);
/* Frees it and all it owns; NULL is accepted. */
void sluice_series_destroy(struct sluice_series *series);

#endif
