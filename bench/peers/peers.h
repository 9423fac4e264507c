/* SPDX-License-Identifier: Apache-2.0
 *
 * The scripts of the benchmark's peers, as text for `python3 -c`. Static, NUL-terminated. */
#ifndef SLUICE_BENCH_PEERS_H
#define SLUICE_BENCH_PEERS_H

extern const char sluice_peer_writer[];
extern const char sluice_peer_stats[];

#endif
