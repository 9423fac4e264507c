/* SPDX-License-Identifier: Apache-2.0
 *
 * Mask, saturation value and beam centre from a master. Only these objects are opened: the image
 * datasets of a master lead into data files that the follower has open already. */
#include "readers/follow/facts.h"

#include <math.h>
#include <stdlib.h>

#include "core/log.h"
#include "readers/follow/h5.h"

static uint32_t *read_mask(hid_t file, const struct sluice_follow_channel *channel)
{
    static const char *const paths[] = {
        "entry/instrument/detector/pixel_mask",
        "entry/instrument/detector/detectorSpecific/pixel_mask",
    };
    hid_t dataset = -1;
    for (int i = 0; i < 2 && dataset < 0; i++)
        dataset = H5Dopen2(file, paths[i], H5P_DEFAULT);
    if (dataset < 0)
        return NULL;
    hid_t space = H5Dget_space(dataset);
    hsize_t extent[2] = {0};
    uint32_t *mask = NULL;
    if (H5Sget_simple_extent_ndims(space) == 2 &&
        H5Sget_simple_extent_dims(space, extent, NULL) == 2 && extent[0] == channel->height &&
        extent[1] == channel->width)
        mask = malloc((size_t)channel->height * channel->width * sizeof(*mask));
    if (mask && H5Dread(dataset, H5T_NATIVE_UINT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, mask) < 0) {
        free(mask);
        mask = NULL;
    }
    if (!mask)
        sluice_log_warning("follow",
                           "pixel_mask of channel %s cannot be used: not %u x %u, or "
                           "unreadable",
                           channel->name, channel->height, channel->width);
    H5Sclose(space);
    H5Dclose(dataset);
    return mask;
}

static bool read_number(hid_t file, const char *path, double *value)
{
    hid_t dataset = sluice_follow_h5_dataset(file, path);
    if (dataset < 0)
        return false;
    hid_t space = H5Dget_space(dataset);
    bool ok = H5Sget_simple_extent_npoints(space) == 1 &&
              H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, value) >= 0 &&
              isfinite(*value);
    H5Sclose(space);
    H5Dclose(dataset);
    return ok;
}

void sluice_facts_read(struct sluice_facts *facts, const char *master,
                       const struct sluice_follow_channel *channel)
{
    bool live = sluice_follow_h5_flag(master) == SLUICE_H5_WRITING; /* of other writers */
    hid_t file = sluice_follow_h5_open(master, live);
    if (file < 0) {
        sluice_log_warning("follow", "cannot open %s: no mask and no saturation value", master);
    } else {
        facts->mask = read_mask(file, channel);
        facts->has_saturation = sluice_follow_h5_dataset_int(
            file, "entry/instrument/detector/saturation_value", &facts->saturation);
        facts->has_beam =
            read_number(file, "entry/instrument/detector/beam_center_x", &facts->beam_x) &&
            read_number(file, "entry/instrument/detector/beam_center_y", &facts->beam_y);
        H5Fclose(file);
    }
    H5Eclear2(H5E_DEFAULT);
}

void sluice_facts_close(struct sluice_facts *facts)
{
    free(facts->mask);
    facts->mask = NULL;
}
