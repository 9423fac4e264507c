/* SPDX-License-Identifier: Apache-2.0
 *
 * DECTRIS Stream V1 ("legacy"): one ZeroMQ message of several parts is a header, an image or the
 * end of a series. The parts are JSON texts and blobs:
 *
 *   header   dheader-1.0 {series, header_detail none|basic|all} [config] [3 x (descriptor, blob)]
 *            [appendix]
 *   image    dimage-1.0 {series, frame}, dimage_d-1.0 {shape [x, y], type, encoding, size}, blob,
 *            dconfig-1.0 {start_time, stop_time, real_time in ns} [appendix]
 *   end      dseries_end-1.0 {series}
 *
 * Pure functions as in protocol.h. An image is decoded without allocation (json_scan.h); the header
 * of a series is cold and read with jansson. The md5 `hash` of an image is not checked: md5 does
 * 0.8 GB/s, and the bytes are covered by TCP on their way and by our own checksum from here on. */
#ifndef SLUICE_INGEST_PROTOCOL_STREAM1_H
#define SLUICE_INGEST_PROTOCOL_STREAM1_H

#include "ingest/protocol/protocol.h"

/* What the only channel is called. */
#define SLUICE_STREAM1_CHANNEL "data"
/* A JSON part of an image, of an array, or the first of any message may be so long, */
#define SLUICE_STREAM1_PART_BYTES_MAX (64u << 10)
/* the configuration so long, */
#define SLUICE_STREAM1_CONFIG_BYTES_MAX (1u << 20)
/* and a header's appendix so long to be kept. */
#define SLUICE_STREAM1_APPENDIX_BYTES_MAX (256u << 10)

/* Whether the first part has an htype of this protocol. */
bool sluice_stream1_probe(const struct sluice_parts *parts);

/* Decodes any message. `head` is always filled, as far as it could be read. For an image also
 * `image`: its plane "data" with a payload whose size, encoding and framing agree (sluice_codec
 * _check), and its appendix as user data. Encodings: [bs<8|16|32|64>][-][lz4][<], where a `>` is
 * taken for pixels of one byte only; bitshuffle without LZ4 is not. Numbers may come as texts.
 * OK; MALFORMED, TRUNCATED, LIMIT, MISMATCH or UNSUPPORTED, with the part and key in `error`. */
enum sluice_status sluice_stream1_decode(const struct sluice_parts *parts,
                                         struct sluice_message_head *head,
                                         struct sluice_image *image,
                                         const struct sluice_text_buffer *user_data,
                                         struct sluice_error *error);

/* Decodes a header into a new series that the caller owns, with the one channel "data". Only the
 * series number is required. Where the size and type of the images are not known (header detail
 * none), width is 0 and the first image says them. Anything that cannot be read is left out with a
 * warning in the log. start_message is one JSON object: the first part's keys, those of the
 * configuration, and `header_appendix`. On an error *series is NULL. */
enum sluice_status sluice_stream1_start(const struct sluice_parts *parts,
                                        struct sluice_series **series, struct sluice_error *error);

#endif
