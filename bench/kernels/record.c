/* SPDX-License-Identifier: Apache-2.0
 *
 * What an image costs beside its payload: the entry in the index of its dataset and its cells in
 * all columns (image_id, times, status, checksums), through the writer's own code (writer/sink,
 * writer/append, writer/driver, default settings) into a real data file that grows to its last row.
 * Payloads are 64 bytes, so nothing but the record is left. In two parts: appending an image, and
 * its share of the flush that makes it visible.
 *
 * CPU of this thread, the kernel's part of its writes included; nobody follows the file. The key
 * column and a checksum column of each round are read again by HDF5 afterwards. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <hdf5.h>

#include "bench/kernels/kernels.h"
#include "bench/kernels/subject.h"
#include "bench/pipeline/folder.h"
#include "config/config.h"
#include "core/log.h"
#include "writer/driver/direct.h"
#include "writer/h5/h5.h"
#include "writer/sink/datafile.h"

#define PAYLOAD_BYTES 64
#define PARTS         10 /* of a file; the second and the last show whether cost grows */
#define CHANNELS_MOST 3
#define USER_DATA     "{\"position\":[1.25,-3.5],\"run\":42}"

static const struct variant {
    const char *name;
    uint32_t channels;
    bool has_user_data;
    uint32_t flush_images;
    uint64_t images, images_quick;
} variants[] = {
    {"one channel", 1, false, 128, 1000000, 20000},
    {"three channels, user data", 3, true, 128, 200000, 10000},
    {"flushed by itself", 1, false, 1, 20000, 1000},
};

enum measure { TOTAL, APPEND, FLUSH, LAST_OF_FIRST, MEASURES };
static const char *const measure_names[] = {"cpu_us_per_image", "append_cpu_us", "flush_cpu_us",
                                            "last_of_first"};

struct rig {
    const struct variant *variant;
    uint64_t images;
    struct sluice_bench_folder folder;
    struct sluice_config config;
    struct sluice_sink sink;
    struct sluice_slab slab;
    struct sluice_datafile *file;
};

static uint64_t checksum_of(uint64_t image_id)
{
    return image_id * UINT64_C(0x9e3779b97f4a7c15);
}

static enum sluice_status open_sink(struct rig *rig, struct sluice_error *error)
{
    char assignment[SLUICE_BENCH_FOLDER_BYTES + 32];
    snprintf(assignment, sizeof(assignment), "writer.directory=%s", rig->folder.files);
    enum sluice_status status = sluice_config_init(&rig->config, error);
    if (status == SLUICE_OK)
        status = sluice_config_set(&rig->config, assignment, error);
    if (status == SLUICE_OK)
        status = sluice_config_finish(&rig->config, error);
    rig->sink.settings = &rig->config.writer;
    rig->sink.clock = sluice_clock_system();
    return status == SLUICE_OK ? sluice_sink_init(&rig->sink, error) : status;
}

static enum sluice_status create_file(struct rig *rig, struct sluice_error *error)
{
    const struct variant *variant = rig->variant;
    struct sluice_file_channel channels[CHANNELS_MOST];
    char path[SLUICE_BENCH_FOLDER_BYTES + 32];
    const struct sluice_datafile_plan plan = {
        .path = path,
        .channels = channels,
        .channel_count = variant->channels,
        .user_data_bytes = variant->has_user_data ? rig->config.writer.user_data_bytes_max + 1 : 0,
        .cell_capacity = variant->flush_images};
    snprintf(path, sizeof(path), "%s/record.h5", rig->folder.files);
    for (uint32_t c = 0; c < variant->channels; c++) {
        channels[c] = (struct sluice_file_channel){
            .width = 64, .height = 64, .dtype = SLUICE_U16, .encoding = SLUICE_ENCODING_BSLZ4};
        snprintf(channels[c].dataset, sizeof(channels[c].dataset), c > 0 ? "data_%u" : "data", c);
    }
    rig->file = sluice_datafile_new(&rig->slab, 0, rig->images);
    if (rig->file == NULL)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for a data file");
    return sluice_datafile_create(&rig->sink, &rig->slab, rig->file, &plan, error);
}

static void close_rig(struct rig *rig)
{
    if (rig->file != NULL)
        sluice_datafile_abandon(&rig->sink, rig->file); /* nothing when it is closed */
    sluice_sink_close(&rig->sink);
    sluice_slab_close(&rig->slab);
    sluice_config_close(&rig->config);
    sluice_bench_folder_remove(&rig->folder);
}

static enum sluice_status append(struct rig *rig, uint64_t id, struct sluice_error *error)
{
    static const uint8_t payload[PAYLOAD_BYTES] = {1};
    static const struct sluice_span texts[] = {{NULL, 0},
                                               {(const uint8_t *)USER_DATA, sizeof(USER_DATA) - 1}};
    uint64_t checksums[CHANNELS_MOST];
    struct sluice_cell cell = {.row = id,
                               .image_id = id,
                               .bytes = PAYLOAD_BYTES,
                               .arrival_ns = (int64_t)id,
                               .arrival_real_ns = (int64_t)id,
                               .write_real_ns = rig->sink.clock->real_ns(rig->sink.clock),
                               .start_time = (double)id * 1e-3,
                               .stop_time = (double)id * 1e-3 + 9e-4,
                               .real_time = 9e-4};
    for (uint32_t c = 0; c < rig->variant->channels; c++) {
        const enum sluice_status status =
            sluice_datafile_write(&rig->sink, rig->file, c, id,
                                  (struct sluice_span){payload, sizeof(payload)}, false, error);
        if (status != SLUICE_OK)
            return status;
        checksums[c] = checksum_of(id);
    }
    sluice_datafile_mark(rig->file, id);
    sluice_columns_add(&rig->file->live->columns, &cell, checksums,
                       texts[rig->variant->has_user_data]);
    return SLUICE_OK;
}

static enum sluice_status flush(struct rig *rig, struct sluice_error *error)
{
    enum sluice_status status = sluice_datafile_flush_values(rig->file, error);
    if (status == SLUICE_OK)
        status = sluice_datafile_flush_keys(&rig->sink, rig->file, error);
    sluice_direct_tell_visible(rig->sink.direct);
    sluice_columns_clear(&rig->file->live->columns);
    return status;
}

/* Seconds of CPU of appending and flushing, for each part of the file. */
static enum sluice_status write_all(struct rig *rig, const volatile sig_atomic_t *stop,
                                    double seconds[PARTS][2], struct sluice_error *error)
{
    enum sluice_status status = SLUICE_OK;
    double now = sluice_stopwatch_now().cpu;
    for (uint64_t id = 0; status == SLUICE_OK && id < rig->images;) {
        const uint64_t end = id + rig->variant->flush_images < rig->images
                                 ? id + rig->variant->flush_images
                                 : rig->images;
        double *part = seconds[id * PARTS / rig->images];
        if (*stop)
            return SLUICE_AGAIN;
        status = sluice_datafile_extend(rig->file, end, error);
        for (; status == SLUICE_OK && id < end; id++)
            status = append(rig, id, error);
        const double appended = sluice_stopwatch_now().cpu;
        if (status == SLUICE_OK)
            status = flush(rig, error);
        part[0] += appended - now;
        now = sluice_stopwatch_now().cpu;
        part[1] += now - appended;
    }
    return status;
}

static bool column_is(hid_t file, const char *name, uint64_t images, uint64_t (*value)(uint64_t))
{
    uint64_t *cells = calloc(images, sizeof(*cells));
    hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT);
    bool good = cells != NULL && dataset >= 0 &&
                H5Dread(dataset, H5T_NATIVE_UINT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, cells) >= 0;
    for (uint64_t id = 0; good && id < images; id++)
        good = cells[id] == value(id);
    sluice_h5_close(&dataset);
    free(cells);
    return good;
}

static uint64_t key_of(uint64_t image_id)
{
    return image_id + 1;
}

static enum sluice_status check(const struct rig *rig, struct sluice_error *error)
{
    hid_t file = H5Fopen(rig->file->path, H5F_ACC_RDONLY, H5P_DEFAULT);
    const bool good =
        file >= 0 && column_is(file, "/entry/data/image_id", rig->images, key_of) &&
        column_is(file,
                  rig->variant->channels > 1 ? "/entry/data/checksum_data" : "/entry/data/checksum",
                  rig->images, checksum_of);
    sluice_h5_close(&file);
    return good ? SLUICE_OK
                : sluice_error_set(error, SLUICE_MISMATCH, "records: %s holds others",
                                   rig->file->path);
}

static enum sluice_status play(const struct sluice_kernel_settings *settings,
                               const struct variant *variant, double values[MEASURES],
                               struct sluice_error *error)
{
    struct rig rig = {.variant = variant,
                      .images = settings->quick ? variant->images_quick : variant->images};
    double seconds[PARTS][2] = {{0}}, append_s = 0, flush_s = 0;
    enum sluice_status status = sluice_bench_folder_make(&rig.folder, settings->directory, error);
    if (status == SLUICE_OK)
        status = open_sink(&rig, error);
    if (status == SLUICE_OK)
        status = create_file(&rig, error);
    if (status == SLUICE_OK)
        status = write_all(&rig, settings->stop, seconds, error);
    if (status == SLUICE_OK)
        status = sluice_datafile_close(&rig.sink, rig.file, rig.images, error);
    if (status == SLUICE_OK)
        status = check(&rig, error);
    close_rig(&rig);
    for (int part = 0; part < PARTS; part++) {
        append_s += seconds[part][0];
        flush_s += seconds[part][1];
    }
    values[TOTAL] = (append_s + flush_s) * 1e6 / (double)rig.images;
    values[APPEND] = append_s * 1e6 / (double)rig.images;
    values[FLUSH] = flush_s * 1e6 / (double)rig.images;
    values[LAST_OF_FIRST] =
        (seconds[PARTS - 1][0] + seconds[PARTS - 1][1]) / (seconds[1][0] + seconds[1][1]);
    return status;
}

enum sluice_status sluice_kernels_record(const struct sluice_kernel_settings *settings,
                                         struct sluice_figures *figures, struct sluice_error *error)
{
    enum sluice_status status = SLUICE_OK;
    double *values = calloc((size_t)MEASURES * settings->repeat, sizeof(*values));
    if (values == NULL)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for times");
    sluice_log_set_level(SLUICE_LOG_WARNING);
    for (size_t v = 0; status == SLUICE_OK && v < sizeof(variants) / sizeof(variants[0]); v++) {
        for (uint32_t r = 0; status == SLUICE_OK && r < settings->repeat; r++) {
            double round[MEASURES];
            status = play(settings, &variants[v], round, error);
            for (int m = 0; m < MEASURES; m++)
                values[(size_t)m * settings->repeat + r] = round[m];
        }
        for (int m = 0; status == SLUICE_OK && m < MEASURES; m++) {
            const struct sluice_spread spread =
                sluice_spread_of(&values[(size_t)m * settings->repeat], settings->repeat);
            sluice_figures_add(figures,
                               m == LAST_OF_FIRST ? SLUICE_FIGURE_COST_RATIO : SLUICE_FIGURE_COST,
                               &spread, "kernel/record/%s/%s", variants[v].name, measure_names[m]);
        }
    }
    free(values);
    return status;
}
