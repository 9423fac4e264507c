/* SPDX-License-Identifier: Apache-2.0
 *
 * The harness plays source and service: it takes slots that came back, makes frames in them, and
 * takes the events. Pixels of image k follow from k and the channel, so any row can be checked. */
#include "harness.h"

#include <hdf5.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "writer/h5/h5.h"

struct harness *harness_new(void)
{
    struct harness *h = calloc(1, sizeof(*h));
    assert_non_null(h);
    snprintf(h->directory, sizeof(h->directory), "/tmp/sluice-writer-XXXXXX");
    assert_non_null(mkdtemp(h->directory));
    const char *io = getenv("SLUICE_TEST_IO");
    h->settings = (struct sluice_writer_settings){
        .io = io == NULL                  ? SLUICE_IO_HDF5
              : strcmp(io, "cached") == 0 ? SLUICE_IO_CACHED
                                          : SLUICE_IO_DIRECT,
        .index = io == NULL || strcmp(io, "direct") == 0 ? SLUICE_INDEX_HDF5 : SLUICE_INDEX_OWN,
        .index_page = 32,
        .directories = {h->directory},
        .directory_count = 1,
        .name = "series_$id",
        .images_per_file = 4,
        .images_per_file_max = 1000,
        .files_open_max = 4,
        .flush_images = 128,
        .flush_interval_ns = 100 * SLUICE_NS_PER_MS,
        .flush_idle_ns = 0,
        .group = "",
        .mode = 0640,
        .directory_mode = 0750,
        .user_data_bytes_max = 32,
        .id_jump_max = 1000000,
        .metadata = {.instrument_name = "",
                     .source_name = "",
                     .source_short_name = "",
                     .sample_name = "",
                     .rotation_axis = ""},
    };
    h->channels = 1;
    h->width = WIDTH;
    h->encoding = SLUICE_ENCODING_BSLZ4;
    return h;
}

void harness_start(struct harness *h)
{
    struct sluice_error error = {0};
    assert_int_equal(sluice_handover_init(&h->in, 0, HARNESS_SLOTS), SLUICE_OK);
    assert_int_equal(sluice_spsc_init(&h->free_slots, HARNESS_SLOTS, 0), SLUICE_OK);
    assert_int_equal(sluice_events_init(&h->events), SLUICE_OK);
    sluice_clock_fake_init(&h->clock, 1000 * SLUICE_NS_PER_S,
                           INT64_C(1790000000) * SLUICE_NS_PER_S);
    for (uint32_t slot = 0; slot < HARNESS_SLOTS; slot++)
        sluice_spsc_push(&h->free_slots, slot);
    h->ports = (struct sluice_writer_ports){.frames = h->frames,
                                            .in = &h->in,
                                            .free = &h->free_slots,
                                            .free_wake = &h->free_wake,
                                            .events = &h->events,
                                            .progress = &h->progress,
                                            .clock = &h->clock.clock};
    assert_int_equal(sluice_counters_create(NULL, &h->ports.counters, &error), SLUICE_OK);
    if (sluice_writer_create(&h->settings, &h->ports, &h->writer, &error) != SLUICE_OK)
        fail_msg("writer: %s", error.message);
}

void harness_free(struct harness *h)
{
    char command[640];
    sluice_writer_destroy(h->writer);
    sluice_summary_destroy(h->summary);
    free(h->facts);
    if (h->writer != NULL) {
        /* Every slot came back. */
        assert_int_equal(sluice_spsc_count(&h->free_slots), HARNESS_SLOTS);
        sluice_events_close(&h->events);
        sluice_handover_close(&h->in);
        sluice_spsc_close(&h->free_slots);
        sluice_counters_destroy(h->ports.counters);
    }
    sluice_codec_scratch_close(&h->scratch);
    snprintf(command, sizeof(command), "rm -rf '%s'", h->directory);
    assert_int_equal(system(command), 0);
    free(h);
}

static struct sluice_frame *take_slot(struct harness *h, enum sluice_frame_kind kind,
                                      uint32_t *slot)
{
    if (sluice_spsc_count(&h->free_slots) == 0)
        harness_work(h);
    assert_int_equal(sluice_spsc_pop(&h->free_slots, slot), SLUICE_OK);
    struct sluice_frame *frame = &h->frames[*slot];
    memset(frame, 0, sizeof(*frame));
    frame->kind = kind;
    frame->series_serial = h->serial;
    frame->arrival_ns = h->clock.monotonic_now_ns;
    frame->arrival_real_ns = h->clock.real_now_ns;
    return frame;
}

static struct sluice_series *make_series(const struct harness *h, uint64_t number_of_images)
{
    struct sluice_series *series = sluice_series_create();
    assert_non_null(series);
    series->series_id = 7;
    series->number_of_images = number_of_images;
    if (h->unique_id != NULL)
        snprintf(series->unique_id, sizeof(series->unique_id), "%s", h->unique_id);
    series->width = WIDTH;
    series->height = HEIGHT;
    series->dtype = SLUICE_U16;
    series->channel_count = h->channels;
    for (uint32_t c = 0; c < h->channels; c++)
        snprintf(series->channels[c].name, SLUICE_NAME_BYTES, "threshold_%" PRIu32, c + 1);
    return series;
}

static void push_series(struct harness *h, enum sluice_frame_kind kind,
                        struct sluice_series *series)
{
    uint32_t slot;
    take_slot(h, kind, &slot)->series = series;
    sluice_handover_push(&h->in, slot);
}

void harness_open(struct harness *h, uint64_t number_of_images)
{
    h->serial++;
    memset(&h->counts, 0, sizeof(h->counts));
    push_series(h, SLUICE_FRAME_OPEN, make_series(h, number_of_images));
}

void harness_open_missed(struct harness *h)
{
    h->serial++;
    memset(&h->counts, 0, sizeof(h->counts));
    struct sluice_series *series = make_series(h, 0);
    series->start_missed = true;
    push_series(h, SLUICE_FRAME_OPEN, series);
}

void harness_adopt(struct harness *h, uint64_t number_of_images)
{
    push_series(h, SLUICE_FRAME_ADOPT, make_series(h, number_of_images));
}

static void make_pixels(uint64_t id, uint32_t channel, uint16_t *pixels, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pixels[i] = (uint16_t)(id * 31 + channel * 7 + i);
}

/* A bare LZ4 block of literals only; `bytes` is 15 to 269. */
static size_t make_block(uint8_t *block, const void *pixels, size_t bytes)
{
    block[0] = 0xf0;
    block[1] = (uint8_t)(bytes - 15);
    memcpy(block + 2, pixels, bytes);
    return bytes + 2;
}

void harness_image(struct harness *h, uint64_t id)
{
    uint32_t slot;
    uint16_t pixels[2 * PIXELS];
    struct sluice_frame *frame = take_slot(h, SLUICE_FRAME_IMAGE, &slot);
    struct sluice_image *image = &frame->image;
    image->image_id = id;
    image->start_time = (double)id * 0.01;
    image->stop_time = NAN;
    image->real_time = 0.01;
    image->plane_count = h->channels;
    if (h->user_data != NULL) {
        snprintf(h->texts[slot], sizeof(h->texts[slot]), "%s", h->user_data);
        image->user_data =
            (struct sluice_span){(const uint8_t *)h->texts[slot], strlen(h->texts[slot])};
    }
    for (uint32_t c = 0; c < h->channels; c++) {
        static const char *const names[] = {"threshold_1", "threshold_2"};
        struct sluice_plane *plane = &image->planes[c];
        size_t count = (size_t)h->width * HEIGHT, bytes = 0;
        make_pixels(id, c, pixels, count);
        if (h->encoding == SLUICE_ENCODING_LZ4_BLOCK)
            bytes = make_block(h->payloads[slot][c], pixels, count * 2);
        else
            assert_int_equal(sluice_codec_encode(h->encoding, pixels, count * 2, 2,
                                                 h->payloads[slot][c], PAYLOAD_MAX, &bytes,
                                                 &h->scratch),
                             SLUICE_OK);
        *plane = (struct sluice_plane){
            .channel = {(const uint8_t *)names[c], strlen(names[c])},
            .payload = {h->payloads[slot][c], bytes},
            .width = h->width,
            .height = HEIGHT,
            .dtype = SLUICE_U16,
            .encoding = h->encoding,
            .channel_index = c,
            .lent = h->lent,
        };
        frame->message_bytes += bytes;
    }
    h->counts.received++;
    h->counts.bytes_received += frame->message_bytes;
    sluice_handover_push(&h->in, slot);
}

void harness_refused(struct harness *h, uint64_t id)
{
    uint32_t slot;
    take_slot(h, SLUICE_FRAME_REFUSED, &slot)->image.image_id = id;
    h->counts.received++;
    h->counts.refused++;
    sluice_handover_push(&h->in, slot);
}

void harness_arm(struct harness *h, const struct sluice_arm *arm)
{
    uint32_t slot;
    struct sluice_arm *copy = malloc(sizeof(*copy));
    assert_non_null(copy);
    *copy = *arm;
    take_slot(h, SLUICE_FRAME_ARM, &slot)->arm = copy;
    sluice_handover_push(&h->in, slot);
    harness_work(h);
}

void harness_stopped(struct harness *h, uint64_t number)
{
    uint32_t slot;
    take_slot(h, SLUICE_FRAME_STOPPED, &slot)->stop_number = number;
    sluice_handover_push(&h->in, slot);
    harness_work(h);
}

static void take_facts(struct harness *h, struct sluice_event *event)
{
    free(h->facts);
    h->facts = event->facts;
    event->facts = NULL;
}

static void take_events(struct harness *h)
{
    struct sluice_event *event;
    while ((event = sluice_events_take(&h->events)) != NULL) {
        switch (event->kind) {
        case SLUICE_EVENT_START:
            memcpy(h->start_file, event->file, sizeof(h->start_file));
            take_facts(h, event);
            break;
        case SLUICE_EVENT_FILE:
            memcpy(h->last_file, event->file, sizeof(h->last_file));
            take_facts(h, event);
            break;
        case SLUICE_EVENT_VISIBLE:
            h->visible_events++;
            h->last_visible = event->last;
            break;
        case SLUICE_EVENT_END:
            sluice_summary_destroy(h->summary);
            h->summary = event->summary;
            event->summary = NULL;
            break;
        case SLUICE_EVENT_ARM:
            h->answered_number = event->number;
            h->verdict = event->verdict;
            memcpy(h->reason, event->file, sizeof(h->reason));
            take_facts(h, event);
            break;
        case SLUICE_EVENT_STOPPED:
            h->stopped_number = event->number;
            break;
        }
        sluice_events_give_back(&h->events, event);
    }
}

int harness_cycle(struct harness *h)
{
    int worked = sluice_writer_agent_ops.do_work(h->writer);
    take_events(h);
    return worked;
}

void harness_work(struct harness *h)
{
    while (harness_cycle(h) > 0)
        ;
}

void harness_close(struct harness *h)
{
    uint32_t slot;
    struct sluice_frame *frame = take_slot(h, SLUICE_FRAME_CLOSE, &slot);
    frame->ended_by = SLUICE_ENDED_BY_END;
    frame->source_counts = h->counts;
    sluice_summary_destroy(h->summary);
    h->summary = NULL;
    sluice_handover_push(&h->in, slot);
    harness_work(h);
    assert_non_null(h->summary);
}

const struct sluice_summary *harness_counts(struct harness *h, uint64_t written, uint64_t lost,
                                            uint64_t refused, uint64_t duplicate)
{
    const struct sluice_summary *s = h->summary;
    assert_int_equal(s->received, s->written + s->duplicate + s->refused + s->dropped +
                                      s->image_failures + s->foreign);
    assert_int_equal(s->lost, s->expected - s->written);
    assert_int_equal(s->visible, s->written);
    assert_int_equal(s->written, written);
    assert_int_equal(s->lost, lost);
    assert_int_equal(s->refused, refused);
    assert_int_equal(s->duplicate, duplicate);
    uint64_t in_ranges = 0;
    for (size_t i = 0; i < s->lost_range_count; i++)
        in_ranges += s->lost_ranges[i].last - s->lost_ranges[i].first + 1;
    assert_int_equal(in_ranges, s->lost);
    return s;
}

uint64_t harness_counter(const struct harness *h, enum sluice_counter counter)
{
    return sluice_counter_get(h->ports.counters, counter);
}

const char *data_path(const struct harness *h, const char *name, uint64_t index)
{
    static char path[SLUICE_PATH_BYTES];
    assert_int_equal(sluice_layout_data_path(h->directory, name, index, path, sizeof(path)),
                     SLUICE_OK);
    return path;
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static hid_t open_dataset(const char *path, const char *dataset, hid_t *file)
{
    char name[128];
    sluice_h5_init(NULL);
    *file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (*file < 0)
        fail_msg("cannot open %s", path);
    snprintf(name, sizeof(name), "%s%s", dataset[0] == '/' ? "" : "/entry/data/", dataset);
    hid_t set = H5Dopen2(*file, name, H5P_DEFAULT);
    if (set < 0)
        fail_msg("no dataset %s in %s", name, path);
    return set;
}

static uint64_t extent(hid_t set)
{
    hsize_t dims[3] = {0};
    hid_t space = H5Dget_space(set);
    H5Sget_simple_extent_dims(space, dims, NULL);
    H5Sclose(space);
    return dims[0];
}

uint64_t rows_of(const char *path, const char *dataset)
{
    hid_t file, set = open_dataset(path, dataset, &file);
    uint64_t rows = extent(set);
    H5Dclose(set);
    H5Fclose(file);
    return rows;
}

uint64_t read_column(const char *path, const char *dataset, uint64_t *values, uint64_t room)
{
    hid_t file, set = open_dataset(path, dataset, &file);
    uint64_t rows = extent(set);
    assert_true(rows <= room);
    if (rows > 0)
        assert_true(H5Dread(set, H5T_NATIVE_UINT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(set);
    H5Fclose(file);
    return rows;
}

int read_finished(const char *path)
{
    uint64_t finished;
    assert_int_equal(read_column(path, "/entry/finished", &finished, 1), 1);
    return (int)finished;
}

int read_attribute(const char *path, const char *dataset, const char *attribute)
{
    int value = -1;
    hid_t file, set = open_dataset(path, dataset, &file);
    hid_t id = H5Aopen(set, attribute, H5P_DEFAULT);
    assert_true(id >= 0);
    assert_true(H5Aread(id, H5T_NATIVE_INT, &value) >= 0);
    H5Aclose(id);
    H5Dclose(set);
    H5Fclose(file);
    return value;
}

void assert_image(const char *path, const char *dataset, uint64_t row, uint64_t id,
                  uint32_t channel, enum sluice_encoding encoding)
{
    uint8_t chunk[PAYLOAD_MAX];
    uint16_t found[PIXELS], wanted[PIXELS];
    const hsize_t offset[3] = {row, 0, 0};
    hsize_t bytes = 0;
    uint32_t mask;
    struct sluice_codec_scratch scratch = {0};
    hid_t file, set = open_dataset(path, dataset, &file);
    assert_true(H5Dget_chunk_storage_size(set, offset, &bytes) >= 0);
    assert_true(bytes > 0 && bytes <= sizeof(chunk));
    assert_true(H5Dread_chunk(set, H5P_DEFAULT, offset, &mask, chunk) >= 0);
    assert_int_equal(mask, 0);
    make_pixels(id, channel, wanted, PIXELS);
    assert_int_equal(sluice_codec_decode(encoding, (struct sluice_span){chunk, bytes}, 2, found,
                                         sizeof(found), &scratch),
                     SLUICE_OK);
    assert_memory_equal(found, wanted, sizeof(found));
    sluice_codec_scratch_close(&scratch);
    H5Dclose(set);
    H5Fclose(file);
}

const char *lost_text(const struct sluice_summary *summary)
{
    static char text[256];
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < summary->lost_range_count; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%" PRIu64 "-%" PRIu64,
                                 i > 0 ? " " : "", summary->lost_ranges[i].first,
                                 summary->lost_ranges[i].last);
    return text;
}
