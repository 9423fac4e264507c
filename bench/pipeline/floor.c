/* SPDX-License-Identifier: Apache-2.0
 *
 * The plainest loop there is: receive a message, write it, release it. Written in pieces of 1 MiB,
 * because a page cache takes these several times cheaper than large ones. No second thread, no
 * batch. The socket's high-water mark is 64 messages. With more (libzmq's own
 * default is 1000) a burst that fits into buffers ends early and says nothing about writing, and
 * the memory of waiting messages, which glibc gives back and takes again, makes the loop dearer: a
 * floor must not be. */
#include "bench/pipeline/floor.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <zmq.h>

#include "core/clock.h"
#include "core/file.h"

#define RECEIVE_HWM 64
#define SILENCE_MS  60000
#define PIECE_BYTES ((size_t)1 << 20)

static enum sluice_status fail_zmq(struct sluice_error *error, enum sluice_status status,
                                   const char *what, const char *endpoint)
{
    return sluice_error_set(error, status, "%s %s: %s", what, endpoint, zmq_strerror(zmq_errno()));
}

static enum sluice_status write_whole(int fd, const void *data, size_t bytes, uint64_t offset,
                                      const char *path, struct sluice_error *error)
{
    int code = 0;
    for (size_t done = 0; code == 0 && done < bytes; done += PIECE_BYTES) {
        const size_t left = bytes - done;
        code = sluice_write_fully(fd, (const char *)data + done,
                                  left < PIECE_BYTES ? left : PIECE_BYTES, offset + done);
    }
    return code == 0 ? SLUICE_OK
                     : sluice_error_errno(error, SLUICE_IO, code, "cannot write to %s", path);
}

static enum sluice_status receive_all(void *socket, int fd,
                                      const struct sluice_floor_settings *settings,
                                      struct sluice_floor_report *report, int64_t *first_image_ns,
                                      struct sluice_error *error)
{
    const struct sluice_clock *clock = sluice_clock_system();
    enum sluice_status status = SLUICE_OK;
    while (status == SLUICE_OK && report->messages < settings->images + 2) {
        zmq_msg_t message;
        zmq_msg_init(&message);
        if (zmq_msg_recv(&message, socket, 0) < 0) {
            if (zmq_errno() != EINTR) {
                status = fail_zmq(error, zmq_errno() == EAGAIN ? SLUICE_TIMEOUT : SLUICE_IO,
                                  "nothing received from", settings->endpoint);
            }
        } else {
            const size_t bytes = zmq_msg_size(&message);
            if (report->messages == 1) {
                *first_image_ns = sluice_now_ns(clock);
            }
            if (fd >= 0) {
                status = write_whole(fd, zmq_msg_data(&message), bytes, report->bytes,
                                     settings->file, error);
            }
            report->messages++;
            report->bytes += bytes;
        }
        zmq_msg_close(&message);
    }
    return status;
}

static enum sluice_status open_socket(void *context, const char *endpoint, void **socket,
                                      struct sluice_error *error)
{
    const int hwm = RECEIVE_HWM, silence = SILENCE_MS, linger = 0;
    *socket = context != NULL ? zmq_socket(context, ZMQ_PULL) : NULL;
    if (*socket == NULL || zmq_setsockopt(*socket, ZMQ_RCVHWM, &hwm, sizeof(hwm)) != 0 ||
        zmq_setsockopt(*socket, ZMQ_RCVTIMEO, &silence, sizeof(silence)) != 0 ||
        zmq_setsockopt(*socket, ZMQ_LINGER, &linger, sizeof(linger)) != 0 ||
        zmq_connect(*socket, endpoint) != 0) {
        return fail_zmq(error, SLUICE_SYSTEM, "cannot connect to", endpoint);
    }
    return SLUICE_OK;
}

enum sluice_status sluice_floor_run(const struct sluice_floor_settings *settings,
                                    struct sluice_floor_report *report, struct sluice_error *error)
{
    const struct sluice_clock *clock = sluice_clock_system();
    int64_t first_image_ns = 0;
    int fd = -1;
    void *context = zmq_ctx_new(), *socket = NULL;
    *report = (struct sluice_floor_report){0};
    enum sluice_status status = open_socket(context, settings->endpoint, &socket, error);
    if (status == SLUICE_OK && settings->file != NULL) {
        fd = open(settings->file, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0640);
        if (fd < 0) {
            status =
                sluice_error_errno(error, SLUICE_IO, errno, "cannot create %s", settings->file);
        }
    }
    if (status == SLUICE_OK) {
        status = receive_all(socket, fd, settings, report, &first_image_ns, error);
    }
    if (fd >= 0 && close(fd) != 0 && status == SLUICE_OK) {
        status = sluice_error_errno(error, SLUICE_IO, errno, "cannot close %s", settings->file);
    }
    report->seconds = (double)(sluice_now_ns(clock) - first_image_ns) / (double)SLUICE_NS_PER_S;
    if (socket != NULL) {
        zmq_close(socket);
    }
    if (context != NULL) {
        zmq_ctx_term(context);
    }
    return status;
}
