/* SPDX-License-Identifier: Apache-2.0
 *
 * A virtual file driver of HDF5 that writes images past the page cache: payloads are packed into
 * aligned pieces of 1 MiB, which io_uring writes with O_DIRECT while the writer goes on. What is
 * left of a piece at a flush, and everything else of a file (metadata, columns) goes through the
 * page cache; metadata only after every payload that was handed over before it is in the file. So
 * no index ever points at bytes that are not there yet, and when H5Fflush has returned, readers see
 * complete images.
 *
 * Where the file system refuses O_DIRECT (tmpfs) or the kernel io_uring, the same pieces go through
 * the page cache; a warning says so once. With `cached` they do so by choice; payloads that fill
 * pieces by themselves are then not copied first.
 *
 * One driver serves all files of a writer. Threads: created and destroyed anywhere, used by the one
 * thread that calls HDF5. It must outlive every file that was created with it, also abandoned ones.
 * Files can be created, written and closed; reopening existing ones is not its job. Errors arrive
 * as failed HDF5 calls with errno in HDF5's stack: at the latest the next flush or close of the
 * file whose payload could not be written fails. */
#ifndef SLUICE_WRITER_DRIVER_DIRECT_H
#define SLUICE_WRITER_DRIVER_DIRECT_H

#include <hdf5.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "core/frame.h"
#include "writer/driver/counts.h"
#include "writer/driver/feed.h"

struct sluice_direct;

#define SLUICE_DIRECT_PIECE ((uint64_t)1 << 20) /* bytes that payloads are packed into */

/* Buffers (SLUICE_STAGES MiB, and what `live` says is kept for live readers, faulted in), the arena
 * and, unless `cached`, the io_uring; without one nothing needs to be fed or lent. `live` may be
 * NULL; arena_bytes are rounded down to whole MiB. NO_MEMORY, or SYSTEM. */
enum sluice_status sluice_direct_create(struct sluice_direct **direct, bool cached,
                                        const struct sluice_feed_settings *live, size_t arena_bytes,
                                        struct sluice_error *error);
/* After the last call of HDF5 on its files. NULL is accepted. */
void sluice_direct_destroy(struct sluice_direct *direct);

/* Files created with this access list use the driver. Negative: HDF5 refused. */
herr_t sluice_direct_select(struct sluice_direct *direct, hid_t access);

/* Whether payloads are forced to the disk (fdatasync) before metadata is written behind them. Not
 * at first. */
void sluice_direct_sync_payloads(struct sluice_direct *direct, bool wanted);

/* With so many MiB on their way to the disk, further ones go through the page cache while that is
 * quick; 0, as at first: they wait. */
void sluice_direct_spill(struct sluice_direct *direct, unsigned after);
/* Whether ends of flushes go past the page cache while nobody follows (stages.h). Not at first. */
void sluice_direct_unread_apart(struct sluice_direct *direct, bool wanted);
/* Bytes in pieces that a flush now would end before they are full. */
uint64_t sluice_direct_loose(const struct sluice_direct *direct);
/* Live readers of ours would be known, of each file that is open, and there are none. */
bool sluice_direct_unread(const struct sluice_direct *direct);

/* The H5Dwrite_chunk that follows stores exactly these bytes; they are copied during it. Called
 * again with NULL after it. Chunks that were not expected (columns) count as metadata.
 *
 * `lent`: they need not be copied, but stay as they are until sluice_direct_returned says that they
 * are no longer needed. PAGES: in whole pages of SLUICE_DIRECT_ALIGN, of which the rest behind the
 * image is zero; chunks of one image lie one behind the other, each image begins aligned. BARE:
 * anywhere; they are copied all the same unless sluice_direct_prepare_borrowing was called. */
void sluice_direct_expect(struct sluice_direct *direct, const void *payload, size_t bytes,
                          enum sluice_lent lent);

/* Payloads that are lent BARE are written from there while that pays. NO_MEMORY. */
enum sluice_status sluice_direct_prepare_borrowing(struct sluice_direct *direct,
                                                   struct sluice_error *error);

/* Memory for payloads that will be lent, in huge pages where there are any. NULL: none was wanted.
 * As long-lived as the driver. */
uint8_t *sluice_direct_arena(struct sluice_direct *direct, size_t *bytes);
/* Set while live readers are there: what is lent then is copied all the same, to where they find
 * it, so it had better not be made. Read by any thread. */
const _Atomic bool *sluice_direct_fed(const struct sluice_direct *direct);
/* What was lent so far has come back when sluice_direct_returned is not less than this. */
uint64_t sluice_direct_lent(const struct sluice_direct *direct);
uint64_t sluice_direct_returned(struct sluice_direct *direct);
/* Something of it is on its way to the disk; waits for the next to arrive. */
bool sluice_direct_flying(const struct sluice_direct *direct);
void sluice_direct_wait(struct sluice_direct *direct);
/* Waits until all that was lent is back, before the files are flushed: when its owner has to wait
 * for it. */
void sluice_direct_recall(struct sluice_direct *direct);

/* Which way payloads have gone, of all files; zeros without a driver. */
struct sluice_driver_counts sluice_direct_counts(const struct sluice_direct *direct);

/* The file as HDF5's drivers know it; NULL: none is open with this descriptor. See past.h. */
H5FD_t *sluice_direct_file(struct sluice_direct *direct, int descriptor);

/* What was flushed is visible now: tells live readers, who need not look for it before. NULL is
 * accepted. */
void sluice_direct_tell_visible(struct sluice_direct *direct);

/* Gives the space that was reserved for more payloads back: before H5Fclose. `descriptor` is what
 * H5Fget_vfd_handle gave. */
void sluice_direct_trim(struct sluice_direct *direct, int descriptor);
/* The same for a file that HDF5 will never close, and whose payloads that are not flushed are given
 * up: its descriptors are closed, so that files that failed do not use them up. */
void sluice_direct_abandon(struct sluice_direct *direct, int descriptor);

#endif
