/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes the masters of a set whose data files are there already, for tests that read them with
 * other programs. The metadata are those of the reference set, the rest comes as key=value:
 *
 *   directory= name= dataset= dtype= width= height= images= state=writing|done|failed
 *   mask=0|1  file=PATH,ROWS[,growing]  (once a data file, in order) */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "writer/master/master.h"

#define FILES_MAX 1024

struct request {
    struct sluice_series *series;
    struct sluice_master_input input;
    struct sluice_master_file files[FILES_MAX];
    bool mask;
};

static bool read_file(struct request *request, char *value)
{
    struct sluice_master_file *file = &request->files[request->input.file_count];
    char *rest = strchr(value, ',');
    if (rest == NULL || request->input.file_count == FILES_MAX)
        return false;
    *rest++ = '\0';
    file->path = value;
    file->rows = strtoull(rest, &rest, 10);
    file->growing = strcmp(rest, ",growing") == 0;
    request->input.file_count++;
    return file->growing || *rest == '\0';
}

static bool read_state(struct request *request, const char *value)
{
    static const char *const names[] = {"writing", "done", "failed"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(value, names[i]) == 0) {
            request->input.state = (enum sluice_master_state)i;
            return true;
        }
    }
    return false;
}

static bool read_word(struct request *request, char *word)
{
    struct sluice_series *series = request->series;
    char *value = strchr(word, '=');
    if (value == NULL)
        return false;
    *value++ = '\0';
    if (strcmp(word, "directory") == 0)
        request->input.directory = value;
    else if (strcmp(word, "name") == 0)
        request->input.name = value;
    else if (strcmp(word, "dataset") == 0)
        request->input.dataset = value;
    else if (strcmp(word, "dtype") == 0)
        return sluice_dtype_from_name((struct sluice_span){(uint8_t *)value, strlen(value)},
                                      &request->input.dtype);
    else if (strcmp(word, "width") == 0)
        series->width = (uint32_t)strtoul(value, NULL, 10);
    else if (strcmp(word, "height") == 0)
        series->height = (uint32_t)strtoul(value, NULL, 10);
    else if (strcmp(word, "images") == 0)
        series->number_of_images = strtoull(value, NULL, 10);
    else if (strcmp(word, "mask") == 0)
        request->mask = strcmp(value, "0") != 0;
    else if (strcmp(word, "state") == 0)
        return read_state(request, value);
    else if (strcmp(word, "file") == 0)
        return read_file(request, value);
    else
        return false;
    return true;
}

/* The reference set's. */
static void describe(struct sluice_series *series)
{
    series->series_id = 7;
    series->channel_count = 1;
    series->pixel_size_x = series->pixel_size_y = 75e-6;
    series->beam_center_x = 514;
    series->beam_center_y = 256;
    series->detector_translation[0] = series->detector_translation[1] = 0;
    series->detector_translation[2] = .2;
    series->count_time = .0099;
    series->frame_time = .01;
    series->detector_readout_time = 1e-7;
    series->sensor_thickness = 450e-6;
    series->incident_energy = 12658;
    series->incident_wavelength = .9795;
    series->has_saturation_value = true;
    series->flatfield_applied = series->pixel_mask_applied = 1;
    series->countrate_correction_applied = series->virtual_pixel_interpolation_applied = 1;
    series->axis_count = 1;
    snprintf(series->axes[0].name, sizeof series->axes[0].name, "omega");
    series->axes[0].start = 0;
    series->axes[0].increment = .1;
    snprintf(series->arm_date, sizeof series->arm_date, "2026-11-22T06:00:00.000000Z");
    snprintf(series->detector_description, SLUICE_TEXT_BYTES, "SIMULATED 500K");
    snprintf(series->detector_serial_number, SLUICE_TEXT_BYTES, "S-0001");
    snprintf(series->sensor_material, SLUICE_TEXT_BYTES, "Si");
    series->channels[0].threshold_energy = 6329;
}

/* Two rows between modules, a dead and a noisy pixel. */
static uint32_t *make_mask(const struct sluice_series *series)
{
    uint32_t *mask = calloc((size_t)series->width * series->height, sizeof *mask);
    if (mask == NULL || series->width < 21 || series->height < 21)
        return mask;
    for (uint32_t x = 0; x < series->width; x++)
        mask[(size_t)(series->height / 2) * series->width + x] = 1;
    for (uint32_t x = 0; x < series->width; x++)
        mask[(size_t)(series->height / 2 + 1) * series->width + x] = 1;
    mask[10 * (size_t)series->width + 10] = 2;
    mask[20 * (size_t)series->width + 20] = 16;
    return mask;
}

int main(int argc, char **argv)
{
    const struct sluice_metadata_settings metadata = {
        .instrument_name = "BL1",
        .source_name = "Test Light Source",
        .source_short_name = "TLS",
        .sample_name = "xtal1",
        .rotation_axis = "",
    };
    static struct request request;
    struct sluice_error error = {.status = SLUICE_OK};
    const struct sluice_clock *clock = sluice_clock_system();
    request.series = sluice_series_create();
    if (request.series == NULL)
        return EXIT_FAILURE;
    describe(request.series);
    request.input = (struct sluice_master_input){
        .series = request.series,
        .metadata = &metadata,
        .dataset = "data",
        .dtype = SLUICE_U16,
        .files = request.files,
        .state = SLUICE_MASTER_DONE,
        .open_real_ns = clock->real_ns(clock),
        .end_real_ns = clock->real_ns(clock),
        .mode = 0640,
        .group = "",
    };
    for (int i = 1; i < argc; i++) {
        if (!read_word(&request, argv[i])) {
            fprintf(stderr, "%s: not understood: %s\n", argv[0], argv[i]);
            return 2;
        }
    }
    if (request.input.directory == NULL || request.input.name == NULL) {
        fprintf(stderr, "%s: directory= and name= are needed\n", argv[0]);
        return 2;
    }
    request.series->dtype = request.input.dtype;
    size_t bits = 8 * sluice_dtype_bytes(request.input.dtype);
    request.series->saturation_value = bits < 64 ? (INT64_C(1) << bits) - 3 : INT64_MAX;
    if (request.mask)
        request.series->channels[0].pixel_mask = make_mask(request.series);
    enum sluice_status status = sluice_master_write(&request.input, &error);
    if (status != SLUICE_OK)
        fprintf(stderr, "%s: %s\n", argv[0], error.message);
    sluice_series_destroy(request.series);
    return status == SLUICE_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
