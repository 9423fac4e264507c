/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts a master is made of, and what is worked out for them once for both files. Private to
 * this room. */
#ifndef SLUICE_WRITER_MASTER_PARTS_H
#define SLUICE_WRITER_MASTER_PARTS_H

#include "writer/master/master.h"
#include "writer/master/tree.h"

#define SLUICE_TIME_BYTES 96

/* What no struct holds as the file needs it. NaN and empty: unknown. */
struct sluice_master_facts {
    uint64_t rows; /* of all files together: see sluice_master_rows */
    char start_time[SLUICE_TIME_BYTES], end_time_estimated[SLUICE_TIME_BYTES],
        end_time[SLUICE_TIME_BYTES];
    /* borrowed from series or settings */
    const char *sample_name, *source_name, *source_short_name;
    const char *series_date; /* borrowed from series, empty unless it is ISO 8601 */
    double distance, readout_time;
    int32_t bit_depth_image, bit_depth_readout, image_count, trigger_count, width, height;
    int64_t underload_value;
};
void sluice_master_facts(const struct sluice_master_input *input,
                         struct sluice_master_facts *facts);

/* Where file `index` begins, from where the one before it ends. */
static inline uint64_t sluice_master_file_start(const struct sluice_master_file *file, uint64_t end)
{
    return file->first_row > end ? file->first_row : end;
}

/* Root attributes and everything the start message and the configuration say in one value each,
 * masks, flatfield and table. */
void sluice_master_put_metadata(struct sluice_tree *tree, const struct sluice_master_input *input,
                                const struct sluice_master_facts *facts, const char *file_name);
/* Transformations of detector, module and sample. */
void sluice_master_put_geometry(struct sluice_tree *tree, const struct sluice_master_input *input,
                                const struct sluice_master_facts *facts);
/* The virtual dataset, as `data` for the NXmx file and as `images` beside the links otherwise.
 * `master_path` is where the file will lie. */
void sluice_master_put_images(struct sluice_tree *tree, const struct sluice_master_input *input,
                              const char *master_path, bool nxs);

#endif
