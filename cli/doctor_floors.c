/* SPDX-License-Identifier: Apache-2.0
 *
 * What the machine takes, by the shortest programs that show it: copying memory, our codec on one
 * core, receiving on the loopback, and for each directory what its disk takes and how long it needs
 * until something is safe. Nobody writes frames faster than the least of these. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "bench/pipeline/disk.h"
#include "bench/pipeline/folder.h"
#include "bench/pipeline/round.h"
#include "bench/pipeline/sets.h"
#include "cli/doctor.h"
#include "core/clock.h"
#include "core/codec/codec.h"
#include "core/file.h"

#define GB             1e9
#define MIB            (UINT64_C(1) << 20)
#define COPY_BYTES     (64 * MIB) /* out of any cache */
#define DISK_BYTES     (1024 * MIB)
#define QUICK_BYTES    (16 * MIB)
#define FREE_SHARE     8 /* at most an eighth of the free space */
#define REPEATS        3
#define SYNCS          50
#define RECEIVE_IMAGES 3000
#define RECEIVE_SET    "r500k1"

#define say(...) sluice_check_say(doctor->checks, __VA_ARGS__)
#define OK       SLUICE_CHECK_OK
#define WARNING  SLUICE_CHECK_WARNING

static double seconds_of_thread(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* Counts as a weakly lit detector gives them: mostly 0 to 3, now and then a bright pixel. */
static void make_counts(uint16_t *pixels, size_t count)
{
    uint64_t state = 1;
    for (size_t i = 0; i < count; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        const unsigned bits = (unsigned)(state >> 40);
        const unsigned bright = (bits & 0xFFF) == 0 ? 1000 : 0;
        pixels[i] = (uint16_t)(((bits >> 12) & (bits >> 14) & 3) + bright);
    }
}

struct memory_work {
    uint8_t *from, *to;
    size_t bytes, capacity, encoded;
    struct sluice_codec_scratch scratch;
};

static void copy(struct memory_work *work)
{
    memcpy(work->to, work->from, work->bytes);
}

static void encode(struct memory_work *work)
{
    sluice_codec_encode(SLUICE_ENCODING_BSLZ4, work->from, work->bytes, 2, work->to, work->capacity,
                        &work->encoded, &work->scratch);
}

/* Back over the pixels it came from: they are the same. */
static void decode(struct memory_work *work)
{
    sluice_codec_decode(SLUICE_ENCODING_BSLZ4,
                        (struct sluice_span){.data = work->to, .bytes = work->encoded}, 2,
                        work->from, work->bytes, &work->scratch);
}

/* GB of pixels a second of processor time: the best of a few, after one that warms up. */
static double rate_of(struct memory_work *work, void (*run)(struct memory_work *work))
{
    double best = 0;
    run(work);
    for (int i = 0; i < REPEATS; i++) {
        const double begin = seconds_of_thread();
        run(work);
        const double seconds = seconds_of_thread() - begin;
        const double rate = seconds > 0 ? (double)work->bytes / seconds / GB : 0;
        best = rate > best ? rate : best;
    }
    return best;
}

static void measure_memory(const struct sluice_doctor *doctor)
{
    struct memory_work work = {.bytes = doctor->quick ? QUICK_BYTES : COPY_BYTES};
    work.capacity = sluice_codec_bound(SLUICE_ENCODING_BSLZ4, 2, work.bytes);
    work.from = malloc(work.bytes);
    work.to = malloc(work.capacity);
    if (work.from == NULL || work.to == NULL) {
        say(WARNING, "memory copy", "no %" PRIu64 " MiB of memory to measure with",
            (uint64_t)(2 * work.bytes / MIB));
    } else {
        make_counts((uint16_t *)work.from, work.bytes / 2);
        const double plain = rate_of(&work, copy);
        say(OK, "memory copy", "%.1f GB/s on one core", plain);
        const double in = rate_of(&work, encode), out = rate_of(&work, decode);
        say(OK, "bslz4",
            "one core compresses %.1f GB/s of 16-bit counts (%.1f times), and reads "
            "%.1f GB/s",
            in, (double)work.bytes / (double)work.encoded, out);
    }
    sluice_codec_scratch_close(&work.scratch);
    free(work.from);
    free(work.to);
}

static void measure_receiving(const struct sluice_doctor *doctor, const char *directory)
{
    const struct sluice_round_settings settings = {
        .program = "/proc/self/exe",
        .set = sluice_bench_set_find(RECEIVE_SET),
        .directory = directory,
        .scratch = directory,
        .images = doctor->quick ? 100 : RECEIVE_IMAGES,
        .stop = doctor->stop,
    };
    struct sluice_round round;
    struct sluice_error error = {0};
    const enum sluice_status status =
        sluice_round_run(&settings, SLUICE_RECEIVER_DROP, &round, &error);
    if (status != SLUICE_OK || !round.valid) {
        say(WARNING, "receiving", "not measured: %s",
            status != SLUICE_OK ? error.message : round.reason);
        return;
    }
    const double gb = (double)round.bytes / GB;
    say(OK, "receiving", "%.1f GB/s by libzmq over the loopback, %.2f CPU s/GB", gb / round.seconds,
        round.cpu_seconds / gb);
}

/* As little space as is there bounds what is written. */
static uint64_t disk_bytes(const struct sluice_doctor *doctor, const char *directory)
{
    struct statvfs space;
    uint64_t bytes = doctor->quick ? QUICK_BYTES : DISK_BYTES;
    if (statvfs(directory, &space) != 0)
        return 0;
    const uint64_t most = (uint64_t)space.f_bavail * space.f_frsize / FREE_SHARE;
    return bytes < most ? bytes : most / MIB * MIB;
}

static void measure_disk(const struct sluice_doctor *doctor, const char *directory,
                         const char *path)
{
    const uint64_t bytes = disk_bytes(doctor, directory);
    uint64_t written = 0;
    double seconds = 0;
    struct sluice_error error = {0};
    if (bytes == 0) {
        say(WARNING, "disk rate", "%s: too little space to measure", directory);
        return;
    }
    const enum sluice_status status = sluice_disk_run(path, bytes, &written, &seconds, &error);
    unlink(path);
    if (status == SLUICE_OK)
        say(OK, "disk rate", "%s takes %.2f GB/s past the page cache", directory,
            (double)written / seconds / GB);
    else
        say(WARNING, "disk rate", "%s: not past the page cache: %s", directory, error.message);
}

static int by_value(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* What `writer.durable: flush` waits for. */
static void measure_sync(const struct sluice_doctor *doctor, const char *directory,
                         const char *path)
{
    static const uint8_t block[4096];
    double ms[SYNCS];
    int count = 0, failure = 0;
    const int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0) {
        say(WARNING, "until safe", "%s: %s", directory, strerror(errno));
        return;
    }
    for (; count < SYNCS && failure == 0; count++) {
        const int64_t begin_ns = sluice_now_ns(sluice_clock_system());
        failure = sluice_write_fully(fd, block, sizeof block, (uint64_t)count * sizeof block);
        if (failure == 0 && fdatasync(fd) != 0)
            failure = errno;
        ms[count] = (double)(sluice_now_ns(sluice_clock_system()) - begin_ns) / SLUICE_NS_PER_MS;
    }
    close(fd);
    unlink(path);
    if (failure != 0) {
        say(WARNING, "until safe", "%s: %s", directory, strerror(failure));
        return;
    }
    qsort(ms, SYNCS, sizeof *ms, by_value);
    say(OK, "until safe",
        "%s: fdatasync p50 %.2f, longest %.2f ms (writer.durable: flush waits "
        "for it)",
        directory, ms[SYNCS / 2], ms[SYNCS - 1]);
}

static void measure_directory(const struct sluice_doctor *doctor, const char *directory,
                              bool receive)
{
    struct sluice_bench_folder folder;
    struct sluice_error error = {0};
    char path[SLUICE_BENCH_FOLDER_BYTES + 16];
    sluice_bench_folder_sweep(directory, stderr);
    if (sluice_bench_folder_make(&folder, directory, &error) != SLUICE_OK) {
        say(SLUICE_CHECK_FAILED, "disk rate", "%s", error.message);
        return;
    }
    if (receive)
        measure_receiving(doctor, folder.files);
    snprintf(path, sizeof path, "%s/floor", folder.files);
    if (*doctor->stop == 0)
        measure_disk(doctor, directory, path);
    if (*doctor->stop == 0)
        measure_sync(doctor, directory, path);
    sluice_bench_folder_remove(&folder);
}

void sluice_doctor_floors(const struct sluice_doctor *doctor)
{
    const struct sluice_writer_settings *writer = &doctor->config->writer;
    measure_memory(doctor);
    for (size_t i = 0; i < writer->directory_count && *doctor->stop == 0; i++)
        if (access(writer->directories[i], F_OK) == 0)
            measure_directory(doctor, writer->directories[i], i == 0);
}
