/* SPDX-License-Identifier: Apache-2.0
 *
 * The driver's HDF5 side (H5FD_class_t): which write is a payload, and the order of the others.
 *
 * DESIGN. A payload is what was expected: HDF5 hands the caller's own pointer down, once to ask for
 * room and once to write, so it is recognised without guessing from sizes. All else waits for the
 * file's payloads first. HDF5 writes metadata at flushes and rarely between them (an index block
 * that leaves its cache), so waiting costs one emptied queue a flush; the disk is idle only while
 * the few small writes of the flush are made.
 *
 * Where it is wanted, payloads are on the disk, and not only in the file, before anything that
 * points at them is written: so a machine that loses its power in between leaves no index that
 * points at blocks which were only reserved. The fdatasync at the end of the flush is the caller's.
 *
 * Small writes that follow each other without a gap, as columns and headers do, are collected and
 * written as one, in their order. They are in the file when HDF5 flushes the driver, which it does
 * at the end of each flush. */
#include "writer/driver/direct.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/atomics.h"
#include "core/file.h"
#include "core/log.h"
#include "writer/driver/extents.h"
#include "writer/driver/stages.h"
#include "writer/h5/h5.h"

#define RUN_BYTES 65536

_Static_assert(SLUICE_DIRECT_PIECE == SLUICE_STAGE_BYTES, "said in two headers");

/* Small writes that follow each other. */
struct run {
    uint64_t position;
    size_t bytes;
    uint8_t data[RUN_BYTES];
};

struct direct_file {
    H5FD_t head; /* HDF5's: first */
    struct sluice_direct *direct;
    struct sluice_target target;
    struct sluice_extents extents;
    dev_t device;
    ino_t inode;
    uint32_t slot; /* in the feed */
    struct run run;
    uint64_t borrow_at;       /* where the last place for a payload of its message is */
    bool unsynced;            /* payloads were handed over since the last fdatasync for them */
    struct direct_file *next; /* of the files that are open */
};

struct sluice_direct {
    hid_t driver;
    struct sluice_stages stages;
    const void *expected;
    size_t expected_bytes;
    enum sluice_lent expected_lent;
    bool sync_payloads;
    struct direct_file *files;
    bool refusal_told;
};

/* Onto HDF5's stack, with the errno in its own drivers' form (writer/h5/error.c). */
static herr_t fail(hid_t minor, const char *what, int code)
{
    H5Epush2(H5E_DEFAULT, __FILE__, "sluice_direct", __LINE__, H5E_ERR_CLS, H5E_IO, minor,
             "%s: errno = %d, error message = '%s'", what, code, strerror(code));
    return -1;
}

/* The head is the first member. */
static struct direct_file *of(H5FD_t *file)
{
    return (struct direct_file *)file;
}
static const struct direct_file *of_const(const H5FD_t *file)
{
    return (const struct direct_file *)file;
}

static int open_direct(struct sluice_direct *direct, const char *path)
{
    int fd = direct->stages.has_ring ? open(path, O_WRONLY | O_DIRECT | O_CLOEXEC) : -1;
    if (fd < 0 && direct->stages.has_ring && !direct->refusal_told) {
        direct->refusal_told = true;
        sluice_log_warning("writer",
                           "writer.io direct is not possible here, images go through the page "
                           "cache: %s file=%s",
                           strerror(errno), path);
    }
    return fd;
}

static H5FD_t *open_file(const char *path, unsigned flags, hid_t access, haddr_t most)
{
    struct sluice_direct *const *direct = H5Pget_driver_info(access);
    int mode = (flags & H5F_ACC_RDWR ? O_RDWR : O_RDONLY) | (flags & H5F_ACC_TRUNC ? O_TRUNC : 0) |
               (flags & H5F_ACC_CREAT ? O_CREAT : 0) | (flags & H5F_ACC_EXCL ? O_EXCL : 0);
    struct stat there;
    struct direct_file *file = direct != NULL ? calloc(1, sizeof(*file)) : NULL;
    (void)most;
    if (file == NULL) {
        fail(H5E_CANTOPENFILE, "no memory", ENOMEM);
        return NULL;
    }
    if (stat(path, &there) == 0 && there.st_size == 0)
        mode &= ~O_TRUNC; /* ext4 writes a file back at its close when it was truncated before */
    int fd = open(path, mode | O_CLOEXEC, 0600);
    if (fd < 0 || fstat(fd, &there) != 0) {
        fail(H5E_CANTOPENFILE, path, errno);
        if (fd >= 0)
            close(fd);
        free(file);
        return NULL;
    }
    file->direct = *direct;
    file->target.fd = fd;
    file->target.direct_fd = open_direct(*direct, path);
    if (sluice_feed_may_tell(&file->direct->stages.feed, fd, path))
        file->target.file = sluice_feed_file_of(fd);
    file->slot = sluice_feed_list(&file->direct->stages.feed, &file->target.file);
    if (file->slot == SLUICE_FEED_UNLISTED) /* nobody would find its pieces */
        file->target.file = (struct sluice_feed_file){0};
    file->extents.fd = fd;
    file->extents.physical = (uint64_t)there.st_size;
    file->device = there.st_dev;
    file->inode = there.st_ino;
    file->next = file->direct->files;
    file->direct->files = file;
    return &file->head;
}

static int write_run(struct direct_file *file)
{
    struct run *run = &file->run;
    int fault = sluice_write_fully(file->target.fd, run->data, run->bytes, run->position);
    run->bytes = 0;
    if (fault != 0 && file->target.fault == 0)
        file->target.fault = fault;
    return file->target.fault;
}

/* Payloads before what HDF5 writes next: see DESIGN. */
static int settle_payloads(struct direct_file *file)
{
    int fault = sluice_stages_settle(&file->direct->stages, &file->target);
    if (fault == 0 && file->direct->sync_payloads && file->unsynced) {
        file->unsynced = false;
        if (fdatasync(file->target.fd) != 0)
            fault = file->target.fault = errno;
    }
    return fault;
}

/* Everything is in the file. */
static int settle(struct direct_file *file)
{
    int fault = settle_payloads(file);
    return fault != 0 ? fault : write_run(file);
}

/* 0 or errno. */
static int close_descriptors(struct direct_file *file)
{
    int fault = 0;
    if (file->target.direct_fd >= 0 && close(file->target.direct_fd) != 0)
        fault = errno;
    if (file->target.fd >= 0 && close(file->target.fd) != 0 && fault == 0)
        fault = errno;
    file->target.direct_fd = file->target.fd = -1;
    return fault;
}

static herr_t close_file(H5FD_t *head)
{
    struct direct_file *file = of(head);
    int fault = settle(file);
    struct direct_file **link = &file->direct->files;
    while (*link != file)
        link = &(*link)->next;
    *link = file->next;
    sluice_feed_unlist(&file->direct->stages.feed, file->slot);
    int at_close = close_descriptors(file);
    if (fault == 0)
        fault = at_close;
    free(file);
    return fault != 0 ? fail(H5E_CANTCLOSEFILE, "images could not be written", fault) : 0;
}

static int compare(const H5FD_t *a, const H5FD_t *b)
{
    const struct direct_file *first = of_const(a), *second = of_const(b);
    if (first->device != second->device)
        return first->device < second->device ? -1 : 1;
    return first->inode < second->inode ? -1 : first->inode > second->inode;
}

static herr_t query(const H5FD_t *head, unsigned long *flags)
{
    (void)head;
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
             H5FD_FEAT_POSIX_COMPAT_HANDLE | H5FD_FEAT_SUPPORTS_SWMR_IO |
             H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
    return 0;
}

/* Of what is expected. What is borrowed lies within a page of the file as it does in memory. */
static uint64_t place_payload(struct direct_file *file)
{
    struct sluice_direct *direct = file->direct;
    const void *payload = direct->expected;
    file->borrow_at = SLUICE_NOWHERE;
    if (direct->expected_lent == SLUICE_LENT_BARE &&
        sluice_stages_may_borrow(&direct->stages, &file->target, payload, direct->expected_bytes))
        return file->borrow_at = sluice_extents_payload_at(&file->extents,
                                                           (uintptr_t)payload % SLUICE_DIRECT_ALIGN,
                                                           direct->expected_bytes);
    if (!sluice_stages_follows(&file->target, payload, direct->expected_lent == SLUICE_LENT_PAGES))
        sluice_extents_align(&file->extents);
    return sluice_extents_payload(&file->extents, direct->expected_bytes);
}

static haddr_t allocate(H5FD_t *head, H5FD_mem_t type, hid_t transfer, hsize_t bytes)
{
    struct direct_file *file = of(head);
    (void)transfer;
    if (type != H5FD_MEM_DRAW)
        return sluice_extents_meta(&file->extents, bytes);
    if (file->direct->expected == NULL || bytes != file->direct->expected_bytes)
        return sluice_extents_cells(&file->extents, bytes);
    uint64_t position = place_payload(file);
    if (position == SLUICE_NOWHERE) {
        fail(H5E_NOSPACE, "no room for an image", errno);
        return HADDR_UNDEF;
    }
    return position;
}

static haddr_t get_end(const H5FD_t *head, H5FD_mem_t type)
{
    (void)type;
    return of_const(head)->extents.end;
}

static herr_t set_end(H5FD_t *head, H5FD_mem_t type, haddr_t end)
{
    (void)type;
    sluice_extents_move_end(&of(head)->extents, end);
    return 0;
}

static haddr_t get_size(const H5FD_t *head, H5FD_mem_t type)
{
    (void)type;
    return of_const(head)->extents.physical;
}

static herr_t get_descriptor(H5FD_t *head, hid_t access, void **descriptor)
{
    (void)access;
    *descriptor = &of(head)->target.fd;
    return 0;
}

static herr_t read_bytes(H5FD_t *head, H5FD_mem_t type, hid_t transfer, haddr_t position,
                         size_t bytes, void *buffer)
{
    struct direct_file *file = of(head);
    uint8_t *to = buffer;
    (void)transfer;
    int fault = type == H5FD_MEM_DRAW ? settle(file) : write_run(file);
    while (fault == 0 && bytes > 0) {
        ssize_t got = pread(file->target.fd, to, bytes, (off_t)position);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            fault = errno;
        } else if (got == 0) { /* beyond the end: nothing was written there yet */
            memset(to, 0, bytes);
            bytes = 0;
        } else {
            to += got;
            position += (haddr_t)got;
            bytes -= (size_t)got;
        }
    }
    return fault != 0 ? fail(H5E_READERROR, "read failed", fault) : 0;
}

/* What lies behind what waits joins it; else that is written first. */
static int write_small(struct direct_file *file, uint64_t position, size_t bytes,
                       const void *buffer)
{
    struct run *run = &file->run;
    int fault = 0;
    if (run->bytes > 0 &&
        (position != run->position + run->bytes || bytes > RUN_BYTES - run->bytes))
        fault = write_run(file);
    if (fault == 0 && bytes > RUN_BYTES) {
        fault = sluice_write_fully(file->target.fd, buffer, bytes, position);
    } else if (fault == 0) {
        if (run->bytes == 0)
            run->position = position;
        memcpy(run->data + run->bytes, buffer, bytes);
        run->bytes += bytes;
    }
    if (fault == 0 && position + bytes > file->extents.physical)
        file->extents.physical = position + bytes;
    return fault;
}

/* What is expected: from where it lies, or else as a copy. */
static bool write_payload(struct direct_file *file, uint64_t position)
{
    struct sluice_direct *direct = file->direct;
    const void *payload = direct->expected;
    const size_t bytes = direct->expected_bytes;
    file->unsynced = true;
    if (direct->expected_lent == SLUICE_LENT_PAGES &&
        sluice_stages_lend(&direct->stages, &file->target, position, payload, bytes))
        return true;
    if (direct->expected_lent == SLUICE_LENT_BARE && position == file->borrow_at &&
        sluice_stages_borrow(&direct->stages, &file->target, position, payload, bytes))
        return true;
    return sluice_stages_append(&direct->stages, &file->target, position, payload, bytes);
}

static herr_t write_bytes(H5FD_t *head, H5FD_mem_t type, hid_t transfer, haddr_t position,
                          size_t bytes, const void *buffer)
{
    struct direct_file *file = of(head);
    struct sluice_direct *direct = file->direct;
    (void)transfer;
    int fault = file->target.fault;
    if (fault == 0 && type == H5FD_MEM_DRAW && buffer == direct->expected &&
        bytes == direct->expected_bytes && write_payload(file, position))
        return 0;
    if (fault == 0)
        fault = settle_payloads(file);
    if (fault == 0)
        fault = write_small(file, position, bytes, buffer);
    return fault != 0 ? fail(H5E_WRITEERROR, "write failed", fault) : 0;
}

static herr_t flush(H5FD_t *head, hid_t transfer, hbool_t closing)
{
    (void)transfer;
    (void)closing;
    int fault = settle(of(head));
    return fault != 0 ? fail(H5E_CANTFLUSH, "images could not be written", fault) : 0;
}

static herr_t fit_file(H5FD_t *head, hid_t transfer, hbool_t closing)
{
    struct direct_file *file = of(head);
    (void)transfer;
    int fault = settle(file);
    if (fault == 0)
        fault = sluice_extents_fit_file(&file->extents, closing);
    return fault != 0 ? fail(H5E_SEEKERROR, "cannot set the file's length", fault) : 0;
}

/* As HDF5's own driver: a file system without locks is no error. */
static herr_t lock(H5FD_t *head, hbool_t exclusive)
{
    if (flock(of(head)->target.fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0 &&
        errno != ENOSYS)
        return fail(H5E_CANTLOCKFILE, "cannot lock the file", errno);
    return 0;
}

static herr_t unlock(H5FD_t *head)
{
    if (flock(of(head)->target.fd, LOCK_UN) != 0 && errno != ENOSYS)
        return fail(H5E_CANTUNLOCKFILE, "cannot unlock the file", errno);
    return 0;
}

static const H5FD_class_t driver_class = {
    .name = "sluice_direct",
    .maxaddr = (haddr_t)INT64_MAX,
    .fc_degree = H5F_CLOSE_WEAK,
    .fapl_size = sizeof(struct sluice_direct *),
    .open = open_file,
    .close = close_file,
    .cmp = compare,
    .query = query,
    .alloc = allocate,
    .get_eoa = get_end,
    .set_eoa = set_end,
    .get_eof = get_size,
    .get_handle = get_descriptor,
    .read = read_bytes,
    .write = write_bytes,
    .flush = flush,
    .truncate = fit_file,
    .lock = lock,
    .unlock = unlock,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

enum sluice_status sluice_direct_create(struct sluice_direct **direct, bool cached,
                                        const struct sluice_feed_settings *live, size_t arena_bytes,
                                        struct sluice_error *error)
{
    struct sluice_direct *made = calloc(1, sizeof(*made));
    *direct = NULL;
    if (made == NULL)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for the file driver");
    enum sluice_status status = sluice_h5_init(error);
    if (status == SLUICE_OK)
        status = sluice_stages_init(&made->stages, cached, live, arena_bytes, error);
    if (status == SLUICE_OK && (made->driver = H5FDregister(&driver_class)) < 0)
        status = sluice_h5_error(error, SLUICE_SYSTEM, "HDF5 refuses the file driver");
    if (status != SLUICE_OK) {
        sluice_stages_close(&made->stages);
        free(made);
        return status;
    }
    *direct = made;
    return SLUICE_OK;
}

void sluice_direct_destroy(struct sluice_direct *direct)
{
    if (direct == NULL)
        return;
    if (direct->files == NULL) /* else abandoned ones still use the driver */
        H5FDunregister(direct->driver);
    while (direct->files != NULL) {
        struct direct_file *file = direct->files;
        sluice_stages_settle(&direct->stages, &file->target);
        direct->files = file->next;
    }
    sluice_stages_close(&direct->stages);
    free(direct);
}

herr_t sluice_direct_select(struct sluice_direct *direct, hid_t access)
{
    return H5Pset_driver(access, direct->driver, &direct);
}

void sluice_direct_sync_payloads(struct sluice_direct *direct, bool wanted)
{
    direct->sync_payloads = wanted;
}

void sluice_direct_spill(struct sluice_direct *direct, unsigned after)
{
    sluice_stages_spill(&direct->stages, after);
}

void sluice_direct_unread_apart(struct sluice_direct *direct, bool wanted)
{
    direct->stages.unread_apart = wanted;
}

/* Whoever follows a file that is not fed does so unseen. */
bool sluice_direct_unread(const struct sluice_direct *direct)
{
    for (const struct direct_file *file = direct->files; file != NULL; file = file->next)
        if (file->target.fd >= 0 && file->slot == SLUICE_FEED_UNLISTED)
            return false;
    return sluice_stages_unread(&direct->stages);
}

void sluice_direct_expect(struct sluice_direct *direct, const void *payload, size_t bytes,
                          enum sluice_lent lent)
{
    direct->expected = payload;
    direct->expected_bytes = bytes;
    direct->expected_lent = sluice_load_relaxed(&direct->stages.readers) ? SLUICE_LENT_NOT : lent;
}

enum sluice_status sluice_direct_prepare_borrowing(struct sluice_direct *direct,
                                                   struct sluice_error *error)
{
    return sluice_stages_prepare_borrowing(&direct->stages, error);
}

uint8_t *sluice_direct_arena(struct sluice_direct *direct, size_t *bytes)
{
    *bytes = direct->stages.arena != NULL ? direct->stages.arena_bytes : 0;
    return direct->stages.arena;
}

const _Atomic bool *sluice_direct_fed(const struct sluice_direct *direct)
{
    return &direct->stages.readers;
}

uint64_t sluice_direct_lent(const struct sluice_direct *direct)
{
    return sluice_stages_loans(&direct->stages);
}

uint64_t sluice_direct_returned(struct sluice_direct *direct)
{
    return sluice_stages_returned(&direct->stages);
}

bool sluice_direct_flying(const struct sluice_direct *direct)
{
    return sluice_stages_flying(&direct->stages);
}

void sluice_direct_wait(struct sluice_direct *direct)
{
    sluice_stages_wait(&direct->stages);
}

void sluice_direct_recall(struct sluice_direct *direct)
{
    for (struct direct_file *file = direct->files; file != NULL; file = file->next)
        sluice_stages_recall(&direct->stages, &file->target);
}

void sluice_direct_tell_visible(struct sluice_direct *direct)
{
    if (direct == NULL)
        return;
    sluice_stages_look(&direct->stages);
    for (const struct direct_file *file = direct->files; file != NULL; file = file->next)
        sluice_feed_flushed(&direct->stages.feed, file->slot);
}

struct sluice_driver_counts sluice_direct_counts(const struct sluice_direct *direct)
{
    struct sluice_driver_counts counts = {.waits = 0};
    if (direct == NULL)
        return counts;
    counts = direct->stages.counts;
    counts.held = direct->stages.spill.held;
    return counts;
}

uint64_t sluice_direct_loose(const struct sluice_direct *direct)
{
    uint64_t bytes = 0;
    for (const struct direct_file *file = direct->files; file != NULL; file = file->next)
        if (file->target.filling != NULL)
            bytes += file->target.filling->fill;
    return bytes;
}

static struct direct_file *find(struct sluice_direct *direct, int descriptor)
{
    struct direct_file *file = direct->files;
    while (file != NULL && file->target.fd != descriptor)
        file = file->next;
    return file;
}

H5FD_t *sluice_direct_file(struct sluice_direct *direct, int descriptor)
{
    struct direct_file *file = find(direct, descriptor);
    return file != NULL ? &file->head : NULL;
}

void sluice_direct_trim(struct sluice_direct *direct, int descriptor)
{
    struct direct_file *file = find(direct, descriptor);
    if (file == NULL)
        return;
    settle(file); /* a fault stays, and is found by the close */
    sluice_extents_trim(&file->extents);
}

void sluice_direct_abandon(struct sluice_direct *direct, int descriptor)
{
    struct direct_file *file = find(direct, descriptor);
    if (file == NULL)
        return;
    sluice_stages_drop(&direct->stages, &file->target);
    sluice_feed_unlist(&direct->stages.feed, file->slot);
    sluice_feed_forget(&direct->stages.feed, &file->target.file);
    file->run.bytes = 0;
    sluice_extents_abandon(&file->extents);
    close_descriptors(file);
    /* For HDF5 it stays open, and the system may give its number to the next file. */
    file->device = 0;
    file->inode = (ino_t)(uintptr_t)file;
}
