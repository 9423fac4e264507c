/* SPDX-License-Identifier: Apache-2.0
 *
 * sluice/follow.h: follow a series of detector images while it is written, from C or C++.
 *
 *     sluice_reader *reader;
 *     char why[256];
 *     if (sluice_reader_open("run_master.h5", 10, &reader, why, sizeof why) != SLUICE_READER_OK)
 *         ...
 *     struct sluice_reader_image image;
 *     int result;
 *     while ((result = sluice_reader_next(reader, 10, &image)) == SLUICE_READER_OK)
 *         if (image.state == SLUICE_READER_WRITTEN)
 *             sluice_reader_pixels(reader, &image, 0, pixels, bytes);
 *     sluice_reader_close(reader);
 *
 * It only reads, takes no lock, and cannot slow the writer. Finished sets, growing ones and those
 * of other writers (areaDetector, DECTRIS, ...) are read alike.
 *
 * Threads: one reader belongs to one thread at a time. The library calls HDF5 (and switches off
 * HDF5's error printing for the calling thread): unless your libhdf5 was built thread-safe, no
 * other thread may call HDF5 meanwhile. Do not open the same data files yourself: HDF5 cannot have
 * one growing dataset open twice in a process.
 *
 * Damaged files: what the library reads itself it checks. HDF5 1.10 can crash on damaged metadata,
 * though: look at files from doubtful places with `sluice verify`, which survives that, first.
 *
 * Memory: what functions return by pointer belongs to the reader, see each. Nothing is printed.
 *
 * Stability: functions and enumerators are only ever added within one SONAME; structures keep their
 * size (`reserved` is for what comes). */
#ifndef SLUICE_FOLLOW_H
#define SLUICE_FOLLOW_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SLUICE_READER_API __attribute__((visibility("default")))
#else
#define SLUICE_READER_API
#endif

/* What every function that can fail returns: 0 or more is an answer, below 0 a fault, of which
 * sluice_reader_message tells what, where and why. */
enum sluice_reader_result {
    SLUICE_READER_OK = 0,
    SLUICE_READER_AGAIN = 1, /* nothing new came within the time: writer paused, stuck or dead */
    SLUICE_READER_END = 2,   /* the series has ended and every image was given */
    SLUICE_READER_NOT_THERE =
        3,                  /* the file has no such thing (column, mask, chunk of this image) */
    SLUICE_READER_BAD = -1, /* stored bytes are damaged: checksum, or they do not decode */
    SLUICE_READER_UNREADABLE = -2, /* stored in a way that this call cannot read: see the message */
    SLUICE_READER_USAGE = -3,      /* wrong argument */
    SLUICE_READER_FAILED = -4      /* no such file, no memory, input or output error */
};

/* Values of `state`: those of the column frame_status. */
enum sluice_reader_state {
    SLUICE_READER_WRITTEN = 1,
    SLUICE_READER_LOST = 2,   /* never came: no pixels */
    SLUICE_READER_REFUSED = 3 /* came damaged: no pixels */
};

enum sluice_reader_type {
    SLUICE_READER_U8 = 0,
    SLUICE_READER_U16,
    SLUICE_READER_U32,
    SLUICE_READER_U64,
    SLUICE_READER_I8,
    SLUICE_READER_I16,
    SLUICE_READER_I32,
    SLUICE_READER_I64,
    SLUICE_READER_F32,
    SLUICE_READER_F64
};

/* How the bytes of a chunk are encoded: the framing of the HDF5 filters. */
enum sluice_reader_encoding {
    SLUICE_READER_RAW = 0,  /* little-endian pixels, row after row */
    SLUICE_READER_LZ4 = 1,  /* filter 32004 */
    SLUICE_READER_BSLZ4 = 2 /* filter 32008 with LZ4 */
};

typedef struct sluice_reader sluice_reader;

struct sluice_reader_channel {
    char name[64];          /* the detector's name of it */
    char dataset[64];       /* below /entry/data */
    uint32_t width, height; /* pixels */
    uint32_t type;          /* enum sluice_reader_type */
    uint32_t element_bytes; /* of one pixel */
    uint64_t image_bytes;   /* of one decoded image */
    uint64_t reserved[4];
};

struct sluice_reader_image {
    uint64_t number;    /* 0-based, as the detector counts */
    uint64_t row;       /* in its data file */
    uint32_t file;      /* which one: for sluice_reader_file */
    uint32_t state;     /* enum sluice_reader_state */
    int64_t arrival_ns; /* when its message was complete, ns since 1970 UTC; 0: not known */
    uint64_t reserved[4];
};

/* "0.1.0": of the library that is loaded. */
SLUICE_READER_API const char *sluice_reader_version(void);

/* Opens the set that `path` (any file of it) belongs to; waits up to `wait_s` seconds for it to
 * appear. On failure `message` (may be NULL) holds the reason and *reader is NULL. Blocks. */
SLUICE_READER_API int sluice_reader_open(const char *path, double wait_s, sluice_reader **reader,
                                         char *message, size_t message_bytes);
SLUICE_READER_API void sluice_reader_close(sluice_reader *reader); /* NULL is accepted */

/* Of the last call on this reader that returned a fault; never NULL. */
SLUICE_READER_API const char *sluice_reader_message(const sluice_reader *reader);

SLUICE_READER_API unsigned sluice_reader_channel_count(const sluice_reader *reader);
SLUICE_READER_API int sluice_reader_channel(const sluice_reader *reader, unsigned channel,
                                            struct sluice_reader_channel *description);

/* The next image that is complete, each once, as they become visible (in order within a data file
 * where they arrive in order; lost ones when it is certain). OK, AGAIN when nothing new came for
 * `wait_s` (0: only looks; below 0: for ever), END, or a fault. Blocks up to wait_s. */
SLUICE_READER_API int sluice_reader_next(sluice_reader *reader, double wait_s,
                                         struct sluice_reader_image *image);

/* Decoded pixels in the machine's byte order, row after row, into `pixels`, which has
 * `bytes` = image_bytes. Held against the stored checksum where there is one. */
SLUICE_READER_API int sluice_reader_pixels(sluice_reader *reader,
                                           const struct sluice_reader_image *image,
                                           unsigned channel, void *pixels, size_t bytes);

/* The stored chunk as it is, not decoded, not checked. *data is valid until the next call on this
 * reader. UNREADABLE where a chunk is not one image (other writers). `encoding` is an
 * enum sluice_reader_encoding. */
SLUICE_READER_API int sluice_reader_chunk(sluice_reader *reader,
                                          const struct sluice_reader_image *image, unsigned channel,
                                          const void **data, size_t *bytes, int *encoding);

/* A cell of a per-image column ("start_time", "write_time", "image_id", "checksum", "user_data",
 * ...: docs/file-format.md). The number is converted to the type asked for; text is cut to `bytes`,
 * with its NUL. NOT_THERE where there is no such column. */
SLUICE_READER_API int sluice_reader_column_f64(sluice_reader *reader,
                                               const struct sluice_reader_image *image,
                                               const char *name, double *value);
SLUICE_READER_API int sluice_reader_column_i64(sluice_reader *reader,
                                               const struct sluice_reader_image *image,
                                               const char *name, int64_t *value);
SLUICE_READER_API int sluice_reader_column_u64(sluice_reader *reader,
                                               const struct sluice_reader_image *image,
                                               const char *name, uint64_t *value);
SLUICE_READER_API int sluice_reader_column_text(sluice_reader *reader,
                                                const struct sluice_reader_image *image,
                                                const char *name, char *text, size_t bytes);

/* Pixel mask (height x width; a pixel is invalid where mask & 0xFFFF is not 0) of the channel's
 * master, valid until close; NULL where there is none. Asked first it waits for that master while
 * one may still come, seconds at most where none is being written. */
SLUICE_READER_API const uint32_t *sluice_reader_mask(sluice_reader *reader, unsigned channel);
/* OK, or NOT_THERE. */
SLUICE_READER_API int sluice_reader_saturation(sluice_reader *reader, unsigned channel,
                                               int64_t *value);

/* 1 when the writer has closed the series in order; 0 while it is written, or after it failed. */
SLUICE_READER_API int sluice_reader_finished(const sluice_reader *reader);
/* Highest image number that is visible + 1; images below may be lost. */
SLUICE_READER_API uint64_t sluice_reader_visible(const sluice_reader *reader);
/* Path of the data file that holds the image, valid until close; NULL: of no file (lost). */
SLUICE_READER_API const char *sluice_reader_file(const sluice_reader *reader,
                                                 const struct sluice_reader_image *image);

#ifdef __cplusplus
}
#endif

#endif
