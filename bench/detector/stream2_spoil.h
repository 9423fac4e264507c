/* SPDX-License-Identifier: Apache-2.0
 *
 * Spoiling an image message of Stream V2 so that a careful receiver must refuse it. Any thread. */
#ifndef SLUICE_BENCH_DETECTOR_STREAM2_SPOIL_H
#define SLUICE_BENCH_DETECTOR_STREAM2_SPOIL_H

#include "bench/detector/cbor.h"
#include "bench/detector/faults.h"

/* CORRUPT, TRUNCATED, WRONGSIZE, WRONGTYPE or RANDOM; other kinds leave the message alone. */
void sluice_stream2_spoil(struct sluice_cbor *message, enum sluice_fault_kind fault,
                          uint64_t chance);

#endif
