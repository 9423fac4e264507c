/* SPDX-License-Identifier: Apache-2.0
 *
 * Working memory of the encoders and decoders, for core/codec only. */
#ifndef SLUICE_CORE_CODEC_SCRATCH_H
#define SLUICE_CORE_CODEC_SCRATCH_H

#include "core/codec/codec.h"

/* Makes room for at least `bytes` (what was in it is lost). OK or NO_MEMORY. */
enum sluice_status sluice_codec_scratch_reserve(struct sluice_codec_scratch *scratch, size_t bytes);

#endif
