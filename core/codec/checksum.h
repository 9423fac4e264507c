/* SPDX-License-Identifier: Apache-2.0
 *
 * The checksum of what lies in two places. Any thread, no allocation. */
#ifndef SLUICE_CORE_CODEC_CHECKSUM_H
#define SLUICE_CORE_CODEC_CHECKSUM_H

#include "core/codec/codec.h"

/* sluice_checksum of `first` with `second` behind it. */
uint64_t sluice_checksum_joined(struct sluice_span first, struct sluice_span second);

#endif
