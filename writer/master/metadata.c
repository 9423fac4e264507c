/* SPDX-License-Identifier: Apache-2.0
 *
 * The metadata as tables: what is copied stands in one line of `fields`, with its path, type, unit
 * and the place that it comes from; what depends on anything else follows as code. */
#include <stddef.h>
#include <stdio.h>

#include "core/clock.h"
#include "writer/master/parts.h"

#define ENTRY    "/entry"
#define DETECTOR "/entry/instrument/detector"
#define SPECIFIC "/entry/instrument/detector/detectorSpecific"

static const struct {
    const char *path, *nx_class;
} groups[] = {
    {ENTRY, "NXentry"},
    {ENTRY "/data", "NXdata"},
    {ENTRY "/instrument", "NXinstrument"},
    {ENTRY "/instrument/beam", "NXbeam"},
    {DETECTOR, "NXdetector"},
    {DETECTOR "/module", "NXdetector_module"},
    {DETECTOR "/transformations", "NXtransformations"},
    {SPECIFIC, "NXcollection"},
    {ENTRY "/sample", "NXsample"},
    {ENTRY "/sample/transformations", "NXtransformations"},
    {ENTRY "/source", "NXsource"},
};

enum owner {
    SERIES,   /* struct sluice_series */
    CHANNEL,  /* struct sluice_channel */
    SETTINGS, /* struct sluice_metadata_settings */
    FACTS,    /* struct sluice_master_facts */
};

enum kind {
    TEXT,  /* char[], left out when empty */
    WORDS, /* const char *, left out when empty */
    F64,   /* double, left out when NaN */
    FLAG,  /* int as u1, left out when negative */
    I32,   /* int32_t */
    I64,   /* int64_t */
    U64,   /* uint64_t */
};

struct field {
    const char *path;
    const char *unit; /* NULL: none */
    enum kind kind;
    enum owner owner;
    size_t offset;
};

#define IN_SERIES(member)   SERIES, offsetof(struct sluice_series, member)
#define IN_CHANNEL(member)  CHANNEL, offsetof(struct sluice_channel, member)
#define IN_SETTINGS(member) SETTINGS, offsetof(struct sluice_metadata_settings, member)
#define IN_FACTS(member)    FACTS, offsetof(struct sluice_master_facts, member)

/* clang-format off */
static const struct field fields[] = {
    {ENTRY "/start_time", NULL, TEXT, IN_FACTS(start_time)},
    {ENTRY "/end_time_estimated", NULL, TEXT, IN_FACTS(end_time_estimated)},
    {ENTRY "/end_time", NULL, TEXT, IN_FACTS(end_time)},
    {ENTRY "/instrument/name", NULL, WORDS, IN_SETTINGS(instrument_name)},
    {ENTRY "/source/name", NULL, WORDS, IN_FACTS(source_name)},
    {ENTRY "/sample/name", NULL, WORDS, IN_FACTS(sample_name)},
    {ENTRY "/instrument/beam/incident_wavelength", "angstrom", F64, IN_SERIES(incident_wavelength)},
    {ENTRY "/instrument/beam/incident_energy", "eV", F64, IN_SERIES(incident_energy)},
    {DETECTOR "/description", NULL, TEXT, IN_SERIES(detector_description)},
    {DETECTOR "/serial_number", NULL, TEXT, IN_SERIES(detector_serial_number)},
    {DETECTOR "/x_pixel_size", "m", F64, IN_SERIES(pixel_size_x)},
    {DETECTOR "/y_pixel_size", "m", F64, IN_SERIES(pixel_size_y)},
    {DETECTOR "/beam_center_x", "pixel", F64, IN_SERIES(beam_center_x)},
    {DETECTOR "/beam_center_y", "pixel", F64, IN_SERIES(beam_center_y)},
    {DETECTOR "/distance", "m", F64, IN_FACTS(distance)},
    {DETECTOR "/detector_distance", "m", F64, IN_FACTS(distance)},
    {DETECTOR "/count_time", "s", F64, IN_SERIES(count_time)},
    {DETECTOR "/frame_time", "s", F64, IN_SERIES(frame_time)},
    {DETECTOR "/detector_readout_time", "s", F64, IN_FACTS(readout_time)},
    {DETECTOR "/bit_depth_image", NULL, I32, IN_FACTS(bit_depth_image)},
    {DETECTOR "/bit_depth_readout", NULL, I32, IN_FACTS(bit_depth_readout)},
    {DETECTOR "/underload_value", "counts", I64, IN_FACTS(underload_value)},
    {DETECTOR "/sensor_material", NULL, TEXT, IN_SERIES(sensor_material)},
    {DETECTOR "/sensor_thickness", "m", F64, IN_SERIES(sensor_thickness)},
    {DETECTOR "/threshold_energy", "eV", F64, IN_CHANNEL(threshold_energy)},
    {DETECTOR "/flatfield_applied", NULL, FLAG, IN_SERIES(flatfield_applied)},
    {DETECTOR "/pixel_mask_applied", NULL, FLAG, IN_SERIES(pixel_mask_applied)},
    {DETECTOR "/countrate_correction_applied", NULL, FLAG, IN_SERIES(countrate_correction_applied)},
    {DETECTOR "/virtual_pixel_interpolation_applied", NULL, FLAG,
     IN_SERIES(virtual_pixel_interpolation_applied)},
    {SPECIFIC "/nimages", NULL, I32, IN_FACTS(image_count)},
    {SPECIFIC "/ntrigger", NULL, I32, IN_FACTS(trigger_count)},
    {SPECIFIC "/x_pixels_in_detector", NULL, I32, IN_FACTS(width)},
    {SPECIFIC "/y_pixels_in_detector", NULL, I32, IN_FACTS(height)},
    {SPECIFIC "/series_id", NULL, U64, IN_SERIES(series_id)},
    {SPECIFIC "/series_unique_id", NULL, TEXT, IN_SERIES(unique_id)},
    {SPECIFIC "/series_date", NULL, WORDS, IN_FACTS(series_date)},
    {SPECIFIC "/start_message", NULL, WORDS, IN_SERIES(start_message)},
};
/* clang-format on */

static const void *place(const struct field *field, const struct sluice_master_input *input,
                         const struct sluice_master_facts *facts)
{
    const void *const owners[] = {
        [SERIES] = input->series,
        [CHANNEL] = &input->series->channels[input->channel_index],
        [SETTINGS] = input->metadata,
        [FACTS] = facts,
    };
    return (const char *)owners[field->owner] + field->offset;
}

static void put_field(struct sluice_tree *tree, const struct field *field, const void *value)
{
    switch (field->kind) {
    case TEXT:
        sluice_tree_text(tree, field->path, value);
        break;
    case WORDS:
        sluice_tree_text(tree, field->path, *(const char *const *)value);
        break;
    case F64:
        sluice_tree_f64(tree, field->path, *(const double *)value, field->unit);
        break;
    case FLAG:
        if (*(const int *)value >= 0) {
            uint8_t flag = *(const int *)value != 0;
            sluice_tree_scalar(tree, field->path, SLUICE_U8, &flag, field->unit);
        }
        break;
    case I32:
        sluice_tree_scalar(tree, field->path, SLUICE_I32, value, field->unit);
        break;
    case I64:
        sluice_tree_scalar(tree, field->path, SLUICE_I64, value, field->unit);
        break;
    case U64:
        sluice_tree_scalar(tree, field->path, SLUICE_U64, value, field->unit);
        break;
    }
}

static void put_root(struct sluice_tree *tree, const struct sluice_master_input *input,
                     const char *file_name)
{
    static const char *const states[] = {
        [SLUICE_MASTER_WRITING] = "writing",
        [SLUICE_MASTER_DONE] = "done",
        [SLUICE_MASTER_FAILED] = "failed",
    };
    char now[SLUICE_TIME_BYTES], version[32];
    unsigned major = 0, minor = 0, release = 0;
    const struct sluice_clock *clock = sluice_clock_system();
    sluice_time_iso8601(clock->real_ns(clock), now, sizeof now);
    H5get_libversion(&major, &minor, &release);
    snprintf(version, sizeof version, "%u.%u.%u", major, minor, release);
    const char *const attributes[][2] = {
        {"NX_class", "NXroot"},
        {"default", "entry"},
        {"file_name", file_name},
        {"file_time", now},
        {"HDF5_Version", version},
        {"creator", "sluice " SLUICE_VERSION},
        {"sluice_state", states[input->state]},
    };
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++)
        sluice_tree_attribute(tree, "/", attributes[i][0], attributes[i][1]);
}

/* The arrays straight from the series: mask and flatfield are the bulk of a master, which is
 * written again at each roll-over. */
static void put_arrays(struct sluice_tree *tree, const struct sluice_master_input *input)
{
    const struct sluice_series *series = input->series;
    const struct sluice_channel *channel = &series->channels[input->channel_index];
    hsize_t shape[2] = {series->height, series->width};
    sluice_tree_bulk_array(tree, DETECTOR "/pixel_mask", SLUICE_U32, 2, shape, channel->pixel_mask);
    if (tree->status == SLUICE_OK &&
        H5Lcreate_hard(tree->file, DETECTOR "/pixel_mask", tree->file, SPECIFIC "/pixel_mask",
                       H5P_DEFAULT, H5P_DEFAULT) < 0)
        sluice_tree_check(
            tree, sluice_h5_error(tree->error, SLUICE_IO, "cannot link " SPECIFIC "/pixel_mask"));
    if (channel->flatfield != NULL)
        sluice_tree_bulk_array(tree, DETECTOR "/flatfield", SLUICE_F32, 2, shape,
                               channel->flatfield);
    hsize_t count = series->countrate_table_count;
    if (series->countrate_table != NULL && count > 0)
        sluice_tree_array(tree, DETECTOR "/countrate_correction_lookup_table", SLUICE_U32, 1,
                          &count, series->countrate_table, NULL);
    hsize_t curve[2] = {series->countrate_curve_shape[0], series->countrate_curve_shape[1]};
    if (series->countrate_curve != NULL)
        sluice_tree_array(tree, DETECTOR "/countrate_correction_lookup_table", SLUICE_F32, 2, curve,
                          series->countrate_curve, NULL);
}

void sluice_master_put_metadata(struct sluice_tree *tree, const struct sluice_master_input *input,
                                const struct sluice_master_facts *facts, const char *file_name)
{
    const struct sluice_series *series = input->series;
    const struct sluice_metadata_settings *settings = input->metadata;
    put_root(tree, input, file_name);
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
        sluice_tree_group(tree, groups[i].path, groups[i].nx_class);
    sluice_tree_attribute(tree, ENTRY, "default", "data");
    sluice_tree_attribute(tree, ENTRY, "version", "1.0");
    sluice_tree_text(tree, ENTRY "/definition", "NXmx");
    sluice_tree_text(tree, DETECTOR "/type", "HPC");
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        put_field(tree, &fields[i], place(&fields[i], input, facts));

    if (settings->instrument_name != NULL && settings->instrument_name[0] != '\0')
        sluice_tree_attribute(tree, ENTRY "/instrument/name", "short_name",
                              settings->instrument_name);
    if (facts->source_name != NULL && facts->source_name[0] != '\0')
        sluice_tree_attribute(tree, ENTRY "/source/name", "short_name", facts->source_short_name);
    if (series->has_saturation_value)
        sluice_tree_scalar(tree, DETECTOR "/saturation_value", SLUICE_I64,
                           &series->saturation_value, "counts");
    if (series->number_of_images > 0)
        sluice_tree_scalar(tree, SPECIFIC "/number_of_images", SLUICE_U64,
                           &series->number_of_images, NULL);
    put_arrays(tree, input);
}
