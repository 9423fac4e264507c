/* SPDX-License-Identifier: Apache-2.0
 *
 * When a flush is due by what has been written: by count, by bytes, and, of small images, where the
 * piece is full that the file driver packs them into. Writer thread only. */
#ifndef SLUICE_WRITER_DUE_H
#define SLUICE_WRITER_DUE_H

#include "writer/sink/series.h"

/* Nobody of ours waits for images, so that some of them share a flush. Not at the beginning of a
 * series, which is when followers come. */
bool sluice_due_shared(const struct sluice_open_series *series);
/* So many images are taken before the next look; NULL: no series is open. */
uint32_t sluice_due_batch(const struct sluice_open_series *series);
/* Enough is unflushed, as in a burst. */
bool sluice_due_full(const struct sluice_open_series *series, int64_t now_ns);
/* The most images that may be unflushed. */
uint32_t sluice_due_images_max(const struct sluice_sink *sink);

#endif
