/* SPDX-License-Identifier: Apache-2.0
 *
 * What travels from the source to the writer: the frame, the descriptor of one ring slot.
 *
 *   image   what the detector numbers, from 0
 *   plane   one channel of an image
 *   frame   what fills a ring slot: an image, or the opening or close of a series
 *
 * A frame holds no pixels: its spans point into the received message, which stays in the slot where
 * libzmq put it until the writer gives the slot back, into the arena that the source copied it to,
 * or into a buffer that a codec worker filled.
 * Ownership: whoever holds the slot number owns the frame; the rings hand it over. */
#ifndef SLUICE_CORE_FRAME_H
#define SLUICE_CORE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

#define SLUICE_PLANES_MAX 32
#define SLUICE_NAME_BYTES 64 /* channel, axis: with the closing NUL */

/* Borrowed bytes. */
struct sluice_span {
    const uint8_t *data;
    size_t bytes;
};

enum sluice_dtype {
    SLUICE_U8,
    SLUICE_U16,
    SLUICE_U32,
    SLUICE_U64,
    SLUICE_I8,
    SLUICE_I16,
    SLUICE_I32,
    SLUICE_I64,
    SLUICE_F32,
    SLUICE_F64,
    SLUICE_DTYPE_COUNT,
};

/* How a payload is encoded: in the framing of the HDF5 filter, so that its bytes can be a chunk as
 * they are, except for LZ4_BLOCK, which the writer frames (sluice_codec_frame_block). */
enum sluice_encoding {
    SLUICE_ENCODING_NONE,      /* little-endian pixels, row-major */
    SLUICE_ENCODING_LZ4,       /* filter 32004 */
    SLUICE_ENCODING_BSLZ4,     /* filter 32008 */
    SLUICE_ENCODING_LZ4_BLOCK, /* one LZ4 block without framing, stored under filter 32004 */
};

size_t sluice_dtype_bytes(enum sluice_dtype dtype);
const char *sluice_dtype_name(enum sluice_dtype dtype); /* "uint16" …; "?" out of range */
bool sluice_dtype_from_name(struct sluice_span name, enum sluice_dtype *dtype);
const char *
sluice_encoding_name(enum sluice_encoding encoding); /* "none", "lz4", "bslz4", "lz4-block" */
/* The encoding that such payloads have in a file. */
enum sluice_encoding sluice_encoding_stored(enum sluice_encoding encoding);

/* How a payload lies until its slot goes back. */
enum sluice_lent {
    SLUICE_LENT_NOT,   /* not so long: it has to be copied */
    SLUICE_LENT_PAGES, /* in whole pages that are zero behind the image's last plane */
    SLUICE_LENT_BARE,  /* it stays, but what lies beside it is somebody else's */
};

struct sluice_plane {
    struct sluice_span channel; /* the detector's name of it, in the message */
    struct sluice_span payload;
    uint32_t width, height; /* pixels: fast axis (x), slow axis (y) */
    enum sluice_dtype dtype;
    enum sluice_encoding encoding;
    uint32_t channel_index; /* in the series' channels; set by the source */
    bool has_checksum;      /* `checksum` is sluice_checksum of the chunk that the payload is */
    enum sluice_lent lent;  /* whether the payload may be written from where it lies */
    uint64_t checksum;
};

struct sluice_image {
    uint64_t image_id;                       /* 0-based, as the detector counts */
    double start_time, stop_time, real_time; /* s; NaN where the message has none */
    struct sluice_span user_data;            /* JSON text in the slot's own buffer; may be empty */
    uint32_t plane_count;
    struct sluice_plane planes[SLUICE_PLANES_MAX];
};

enum sluice_frame_kind {
    SLUICE_FRAME_OPEN,    /* a series begins: `series` passes to the writer */
    SLUICE_FRAME_ADOPT,   /* the missed start of the open series came late: `series` passes over */
    SLUICE_FRAME_IMAGE,   /* a valid image of the open series */
    SLUICE_FRAME_REFUSED, /* image.image_id was refused: mark its row, store nothing */
    SLUICE_FRAME_CLOSE,   /* the series ends: ended_by, and what the source counted */
    SLUICE_FRAME_ARM,     /* somebody arms: `arm` passes to the writer, which decides */
    SLUICE_FRAME_STOPPED, /* what was open when a stop was asked for has been closed: stop_number */
    SLUICE_FRAME_FINISH,  /* nothing more will come: the writer's last frame */
};

enum sluice_ended_by {
    SLUICE_ENDED_BY_END,
    SLUICE_ENDED_BY_IDLE,
    SLUICE_ENDED_BY_NEW_START,
    SLUICE_ENDED_BY_STOP,
};

/* What the source counted of a series that the writer cannot know. */
struct sluice_source_counts {
    uint64_t received; /* every message that is neither start nor end */
    uint64_t refused;  /* undecodable or invalid: never reached the writer as images */
    uint64_t foreign;
    uint64_t dropped; /* no free slot, under ring.overflow: drop */
    uint64_t bytes_received;
};

struct sluice_arm;
struct sluice_series;
struct sluice_pool; /* ingest/ring/pool.h */

/* What the writer tells the source back: the series_serial of the newest series of which every
 * expected image is visible [edge COMPLETE], and how many arms it has accepted and how many images
 * the last one wants of the next series (0: not armed, or not said) [edge ARMED]. Written by the
 * writer, read by the source. */
struct sluice_progress {
    _Atomic uint64_t complete_serial;
    _Atomic uint64_t armed_images;
    _Atomic uint64_t arms_accepted; /* after armed_images */
};

struct sluice_frame {
    enum sluice_frame_kind kind;
    uint64_t series_serial;  /* numbers the series this process has opened, from 1 */
    int64_t arrival_ns;      /* CLOCK_MONOTONIC: message complete */
    int64_t arrival_real_ns; /* CLOCK_REALTIME, for stamps only */
    size_t message_bytes;
    struct sluice_image image;      /* IMAGE, REFUSED */
    struct sluice_span series_date; /* IMAGE: ISO 8601 text in the message; may be empty */
    struct sluice_series *series;   /* OPEN, ADOPT: owned by the frame until taken */
    struct sluice_arm *arm;         /* ARM: owned by the frame until taken; from malloc */
    uint64_t stop_number;           /* STOPPED */
    bool written_from;              /* IMAGE, set by the writer: the disk has read its message */
    enum sluice_ended_by ended_by;  /* CLOSE */
    struct sluice_source_counts source_counts; /* CLOSE */

    /* IMAGE, set by the codec worker that it went through; zero where it went through none */
    struct sluice_pool *pool; /* its `buffer` holds encoded planes and has to be given back */
    uint32_t buffer;
    enum sluice_status encode_status; /* not OK: could not be encoded, must not be stored */
    uint32_t bad_plane;               /* of a status that is not OK */
};

#endif
