/* SPDX-License-Identifier: Apache-2.0
 *
 * The plainest loop that keeps a disk busy: every finished piece is sent again with the next
 * position. */
#include "bench/pipeline/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"

#define PIECE_BYTES ((size_t)1 << 20)
#define DEPTH       12

struct run {
    struct io_uring ring;
    const char *path;
    uint8_t *memory;
    int fd;
    uint64_t position, end;
    unsigned in_flight;
};

static void send_piece(struct run *run, uint8_t *piece)
{
    struct io_uring_sqe *entry = io_uring_get_sqe(&run->ring);
    io_uring_prep_write_fixed(entry, run->fd, piece, (unsigned)PIECE_BYTES, run->position, 0);
    io_uring_sqe_set_data(entry, piece);
    run->position += PIECE_BYTES;
    run->in_flight++;
}

static enum sluice_status write_all(struct run *run, struct sluice_error *error)
{
    for (unsigned i = 0; i < DEPTH && run->position < run->end; i++)
        send_piece(run, run->memory + i * PIECE_BYTES);
    while (run->in_flight > 0) {
        struct io_uring_cqe *done;
        int result = io_uring_submit_and_wait(&run->ring, 1);
        if (result < 0 && result != -EINTR)
            return sluice_error_errno(error, SLUICE_IO, -result, "io_uring");
        while (io_uring_peek_cqe(&run->ring, &done) == 0) {
            if (done->res != (int)PIECE_BYTES)
                return sluice_error_errno(error, SLUICE_IO, done->res < 0 ? -done->res : ENOSPC,
                                          "cannot write to %s", run->path);
            uint8_t *piece = io_uring_cqe_get_data(done);
            io_uring_cqe_seen(&run->ring, done);
            run->in_flight--;
            if (run->position < run->end)
                send_piece(run, piece);
        }
    }
    return SLUICE_OK;
}

static enum sluice_status open_file(struct run *run, struct sluice_error *error)
{
    run->fd = open(run->path, O_CREAT | O_EXCL | O_WRONLY | O_DIRECT | O_CLOEXEC, 0640);
    if (run->fd < 0)
        return sluice_error_errno(error, errno == EINVAL ? SLUICE_UNSUPPORTED : SLUICE_IO, errno,
                                  "cannot create %s with O_DIRECT", run->path);
    if (fallocate(run->fd, 0, 0, (off_t)run->end) != 0)
        return sluice_error_errno(error, errno == EOPNOTSUPP ? SLUICE_UNSUPPORTED : SLUICE_IO,
                                  errno, "cannot reserve %s", run->path);
    return SLUICE_OK;
}

static enum sluice_status open_ring(struct run *run, struct sluice_error *error)
{
    const struct iovec memory = {run->memory, DEPTH * PIECE_BYTES};
    int result = io_uring_queue_init(DEPTH * 2, &run->ring, 0);
    if (result != 0)
        return sluice_error_errno(error, SLUICE_UNSUPPORTED, -result, "no io_uring");
    result = io_uring_register_buffers(&run->ring, &memory, 1);
    if (result != 0) {
        io_uring_queue_exit(&run->ring);
        return sluice_error_errno(error, SLUICE_UNSUPPORTED, -result,
                                  "cannot register 12 MiB of buffers (ulimit -l)");
    }
    return SLUICE_OK;
}

enum sluice_status sluice_disk_run(const char *path, uint64_t bytes, uint64_t *written,
                                   double *seconds, struct sluice_error *error)
{
    struct run run = {.path = path, .fd = -1};
    void *memory = NULL;
    run.end = (bytes + PIECE_BYTES - 1) / PIECE_BYTES * PIECE_BYTES;
    if (posix_memalign(&memory, 4096, DEPTH * PIECE_BYTES) != 0)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory to write from");
    run.memory = memory;
    memset(run.memory, 0x5a, DEPTH * PIECE_BYTES);
    enum sluice_status status = open_file(&run, error);
    if (status == SLUICE_OK && (status = open_ring(&run, error)) == SLUICE_OK) {
        int64_t begin_ns = sluice_now_ns(sluice_clock_system());
        status = write_all(&run, error);
        *seconds = (double)(sluice_now_ns(sluice_clock_system()) - begin_ns) / SLUICE_NS_PER_S;
        *written = run.end;
        io_uring_queue_exit(&run.ring);
    }
    if (run.fd >= 0)
        close(run.fd);
    free(run.memory);
    return status;
}
