/* SPDX-License-Identifier: Apache-2.0
 *
 * MD5 (RFC 1321): Stream V1 has one in each image's header. For nothing that has to be secure. */
#ifndef SLUICE_BENCH_DETECTOR_MD5_H
#define SLUICE_BENCH_DETECTOR_MD5_H

#include <stddef.h>
#include <stdint.h>

#include "core/frame.h"

#define SLUICE_MD5_TEXT_BYTES 33

/* Of the spans one after the other, as 32 hexadecimal digits. */
void sluice_md5(const struct sluice_span *spans, size_t count, char text[SLUICE_MD5_TEXT_BYTES]);

#endif
