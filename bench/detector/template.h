/* SPDX-License-Identifier: Apache-2.0
 *
 * A message that is sent often with a few values changed: its parts, and the slots in them where
 * image numbers, times and the series' identity stand. In CBOR a slot is a field of fixed width; in
 * JSON it is a number of any length, so such a part is put together anew each time. Stamping
 * allocates nothing. The template owns its parts until close; zeroed memory is an empty one. */
#ifndef SLUICE_BENCH_DETECTOR_TEMPLATE_H
#define SLUICE_BENCH_DETECTOR_TEMPLATE_H

#include "bench/detector/multipart.h"
#include "core/series.h"

#define SLUICE_SLOTS_MAX 8

/* Which series a message claims to be of. */
struct sluice_identity {
    uint64_t series_id;
    char unique_id[SLUICE_UNIQUE_ID_BYTES]; /* empty: the protocol has none */
};

enum sluice_slot_form {
    SLUICE_SLOT_U64_BE,  /* eight bytes */
    SLUICE_SLOT_TEXT,    /* as many characters as there were */
    SLUICE_SLOT_DECIMAL, /* digits; the part's length changes with them */
};

enum sluice_slot_value {
    SLUICE_SLOT_SERIES_ID,
    SLUICE_SLOT_UNIQUE_ID, /* TEXT */
    SLUICE_SLOT_COUNTED,   /* base + image id x step */
};

struct sluice_slot {
    uint32_t part;
    size_t at, bytes; /* what it replaces */
    enum sluice_slot_form form;
    enum sluice_slot_value value;
    uint64_t base, step;
};

struct sluice_template {
    struct sluice_multipart parts;
    struct sluice_slot slots[SLUICE_SLOTS_MAX]; /* by part and place */
    uint32_t slot_count;
};

void sluice_template_close(struct sluice_template *template);
void sluice_template_add(struct sluice_template *template, struct sluice_slot slot);
/* As many bytes as a part can take when it is stamped. */
size_t sluice_template_room(const struct sluice_template *template, uint32_t part);
/* Writes a part for this image into `out`, which holds a copy of it already and has room for the
 * above. Returns its bytes. */
size_t sluice_template_stamp(const struct sluice_template *template, uint32_t part,
                             const struct sluice_identity *identity, uint64_t id, uint8_t *out);

#endif
