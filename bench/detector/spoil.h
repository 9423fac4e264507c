/* SPDX-License-Identifier: Apache-2.0
 *
 * Spoiling an image message so that a careful receiver must refuse it. Any thread. */
#ifndef SLUICE_BENCH_DETECTOR_SPOIL_H
#define SLUICE_BENCH_DETECTOR_SPOIL_H

#include "bench/detector/cbor.h"
#include "bench/detector/faults.h"

/* CORRUPT, TRUNCATED, WRONGSIZE or RANDOM; other kinds leave the message alone. */
void sluice_spoil(struct sluice_cbor *message, enum sluice_fault_kind fault, uint64_t chance);

#endif
