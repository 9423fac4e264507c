/* SPDX-License-Identifier: Apache-2.0
 *
 * When images become visible and in which order: the two steps of a flush as another process sees
 * them, the timers on a fake clock, exact extents, columns and encodings. The flushes are wrapped,
 * so that a reader can look between the two steps. */
#include <fcntl.h>
#include <glob.h>
#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "peek.h"
#include "writer/driver/past.h"

#define STEPS_MAX 16
static const char *watched; /* path to look at after each step; NULL: do not look */
static struct peek steps[STEPS_MAX];
static int step_count;

static void look(void)
{
    if (watched != NULL && step_count < STEPS_MAX)
        steps[step_count++] = peek_at(watched);
}

static int naps;
static int64_t nap_ns; /* the last one */

bool __wrap_sluice_handover_nap(struct sluice_handover *handover, int64_t ns);
bool __wrap_sluice_handover_nap(struct sluice_handover *handover, int64_t ns)
{
    (void)handover;
    nap_ns = ns;
    naps++;
    return false;
}

herr_t __real_H5Fflush(hid_t object, H5F_scope_t scope);
herr_t __wrap_H5Fflush(hid_t object, H5F_scope_t scope);
herr_t __wrap_H5Fflush(hid_t object, H5F_scope_t scope)
{
    herr_t result = __real_H5Fflush(object, scope);
    look();
    return result;
}

herr_t __real_sluice_past_flush(const struct sluice_past *past);
herr_t __wrap_sluice_past_flush(const struct sluice_past *past);
herr_t __wrap_sluice_past_flush(const struct sluice_past *past)
{
    herr_t result = __real_sluice_past_flush(past);
    look();
    return result;
}

static uint64_t visible(const struct harness *h)
{
    return harness_counter(h, SLUICE_COUNTER_WRITER_IMAGES_VISIBLE);
}

static void the_key_follows_its_images_in_a_second_step(void **state)
{
    (void)state;
    char path[1024];
    struct harness *h = harness_new();
    h->settings.images_per_file = 100;
    harness_start(h);
    harness_open(h, 100);
    harness_image(h, 0);
    harness_work(h);
    snprintf(path, sizeof(path), "%s", data_path(h, "series_7", 0));
    watched = path;
    step_count = 0;
    for (uint64_t id = 1; id < 6; id++)
        harness_image(h, id);
    harness_work(h);
    watched = NULL;
    assert_int_equal(step_count, 2);
    assert_int_equal(steps[0].images, 6); /* exactly, not ahead */
    assert_int_equal(steps[0].keys, 1);
    assert_int_equal(steps[0].set, 1);
    assert_int_equal(steps[1].images, 6);
    assert_int_equal(steps[1].keys, 6);
    assert_int_equal(steps[1].set, 6);
    harness_close(h);
    harness_free(h);
}

static void extents_reach_exactly_as_far_as_what_is_written(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    h->settings.images_per_file = 100;
    harness_start(h);
    harness_open(h, 100);
    harness_image(h, 3);
    harness_image(h, 7);
    harness_image(h, 5);
    harness_work(h);
    struct peek seen = peek_at(data_path(h, "series_7", 0));
    assert_int_equal(seen.images, 8);
    assert_int_equal(seen.keys, 8);
    assert_int_equal(seen.set, 3);
    h->width = WIDTH + 1;
    harness_image(h, 20); /* refused: must not move the extent */
    h->width = WIDTH;
    harness_image(h, 6);
    harness_work(h);
    seen = peek_at(data_path(h, "series_7", 0));
    assert_int_equal(seen.images, 8);
    assert_int_equal(seen.set, 4);
    harness_close(h);
    harness_free(h);
}

static void when_idle_it_flushes_not_more_often_than_allowed(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    h->settings.flush_idle_ns = 200 * SLUICE_NS_PER_US;
    harness_start(h);
    harness_open(h, 100);
    harness_image(h, 0);
    harness_work(h);
    assert_int_equal(visible(h), 1); /* nothing before it: at once */
    harness_image(h, 1);
    harness_work(h);
    assert_int_equal(visible(h), 1);
    sluice_clock_fake_advance(&h->clock, 199 * SLUICE_NS_PER_US);
    harness_work(h);
    assert_int_equal(visible(h), 1);
    sluice_clock_fake_advance(&h->clock, SLUICE_NS_PER_US);
    harness_work(h); /* although nothing came */
    assert_int_equal(visible(h), 2);
    assert_int_equal(harness_counter(h, SLUICE_COUNTER_WRITER_FLUSHES), 2);
    harness_close(h);
    harness_free(h);
}

/* Whether the writer naps with this image: the next one will not wake it. */
static bool naps_after(struct harness *h, uint64_t id)
{
    const int before = naps;
    harness_image(h, id);
    harness_work(h);
    assert_int_equal(visible(h), id);
    sluice_writer_agent_ops.wait(h->writer);
    return naps > before;
}

/* The next image, looked at until it is visible; after how many us. */
static int64_t visible_after_us(struct harness *h, uint64_t id)
{
    int64_t after_us = 0;
    harness_image(h, id);
    for (harness_work(h); visible(h) <= id; after_us += 100) {
        assert_true(after_us < 10000);
        sluice_clock_fake_advance(&h->clock, 100 * SLUICE_NS_PER_US);
        harness_work(h);
    }
    return after_us;
}

/* A follower's lock on the feed of this process; -1: there is no feed. */
static int follow_the_feed(void)
{
    char pattern[64];
    glob_t found;
    int fd = -1;
    snprintf(pattern, sizeof(pattern), "/dev/shm/sluice-live-%d-*", (int)getpid());
    if (glob(pattern, 0, NULL, &found) == 0) {
        struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
        fd = open(found.gl_pathv[0], O_RDONLY);
        assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
    }
    globfree(&found);
    return fd;
}

/* Whether the source is told that the disk has read the message of an image. */
static bool written_from(const struct harness *h, uint64_t id)
{
    for (int i = 0; i < HARNESS_SLOTS; i++)
        if (h->frames[i].kind == SLUICE_FRAME_IMAGE && h->frames[i].image.image_id == id &&
            h->frames[i].written_from)
            return true;
    return false;
}

/* Followers are known where they are fed, with images past the page cache. */
static void flush_unread(bool from_messages)
{
    struct harness *h = harness_new();
    naps = 0;
    h->settings.from_messages = from_messages;
    h->lent = SLUICE_LENT_BARE;
    h->settings.images_per_file = 100;
    h->settings.live_memory_bytes = 1 << 20;
    h->settings.flush_idle_ns = 200 * SLUICE_NS_PER_US;
    h->settings.flush_unread_ns = 5 * SLUICE_NS_PER_MS;
    harness_start(h);
    harness_open(h, 100);
    assert_int_equal(visible_after_us(h, 0), 0);   /* nothing before it */
    assert_int_equal(visible_after_us(h, 1), 200); /* somebody is sent notices */
    h->events.visible_unwanted = true;
    assert_int_equal(visible_after_us(h, 2), 200); /* followers may still come */
    sluice_clock_fake_advance(&h->clock, 200 * SLUICE_NS_PER_MS);
    assert_int_equal(visible_after_us(h, 3), 0);
    int follower = follow_the_feed();
    const int64_t unread_us = follower >= 0 ? 5000 : 200;
    if (follower >= 0) {
        assert_int_equal(h->settings.io, SLUICE_IO_DIRECT);
        assert_int_equal(visible_after_us(h, 4), 5000); /* it was not seen yet */
        assert_int_equal(visible_after_us(h, 5), 200);
        assert_int_equal(naps, 0);
        close(follower);
        assert_int_equal(visible_after_us(h, 6), 200);
    } else {
        for (uint64_t id = 4; id < 7; id++)
            assert_int_equal(visible_after_us(h, id), 200);
    }
    assert_int_equal(visible_after_us(h, 7), unread_us);
    assert_int_equal(naps_after(h, 8), follower >= 0);
    if (follower >= 0) /* until the flush, or where it has to copy meanwhile not so long */
        assert_int_equal(nap_ns, (from_messages ? 5000 : 3500) * SLUICE_NS_PER_US);
    assert_false(written_from(h, 1)); /* flushed by itself: it was copied */
    assert_int_equal(written_from(h, 8), from_messages && follower >= 0);
    assert_int_equal(visible_after_us(h, 9), unread_us);
    sluice_clock_fake_advance(&h->clock, 20 * SLUICE_NS_PER_MS);
    assert_int_equal(visible_after_us(h, 10), 0); /* after a pause at once */
    harness_close(h);
    harness_counts(h, 11, 89, 0, 0);
    harness_free(h);
}

static void it_flushes_less_often_while_nobody_waits_for_images(void **state)
{
    (void)state;
    flush_unread(false);
    flush_unread(true);
}

/* Tiny images by the thousand, so that pieces fill; while one comes the ring is never empty.
 * However long a burst is and wherever its last piece ends, what it left is visible as an image by
 * itself. */
static void a_burst_that_stops_anywhere_is_visible_in_time(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    uint64_t id = 0, in_bursts = 0;
    unsigned seed = 7;
    h->settings.images_per_file = 9000;
    h->settings.live_memory_bytes = 64 << 20;
    h->settings.flush_images = 6000;
    h->encoding = SLUICE_ENCODING_NONE;
    h->width = 2 * WIDTH;
    h->settings.flush_unread_images = 16000;
    h->settings.flush_at = SLUICE_FLUSH_AT_PIECE;
    h->settings.flush_idle_ns = 200 * SLUICE_NS_PER_US;
    h->settings.flush_unread_ns = 5 * SLUICE_NS_PER_MS;
    h->settings.flush_interval_ns = 100 * SLUICE_NS_PER_MS;
    h->events.visible_unwanted = true;
    harness_start(h);
    harness_open(h, 100000);
    visible_after_us(h, id++);
    sluice_clock_fake_advance(&h->clock, 200 * SLUICE_NS_PER_MS);
    visible_after_us(h, id++);
    for (unsigned burst = 0; burst < 16; burst++) {
        const uint64_t end = id + 1 + (unsigned)rand_r(&seed) % (burst % 4 == 0 ? 9000 : 900);
        const uint64_t before = visible(h);
        for (; id < end; id++) {
            harness_image(h, id);
            sluice_clock_fake_advance(&h->clock, 2 * SLUICE_NS_PER_US);
            if (sluice_handover_count(&h->in) > 100)
                harness_cycle(h);
        }
        in_bursts += visible(h) - before;
        assert_true(visible_after_us(h, id++) <= 5000);
        assert_int_equal(visible(h), id);
    }
    assert_true(in_bursts > 0); /* not all of it behind their ends */
    harness_close(h);
    harness_counts(h, id, 100000 - id, 0, 0);
    harness_free(h);
}

static void a_busy_ring_is_not_idle(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    h->settings.images_per_file = 1000;
    harness_start(h);
    harness_open(h, 1000);
    for (uint64_t id = 0; id < 100; id++)
        harness_image(h, id);
    assert_int_equal(harness_cycle(h), 64 + 1); /* and a piece of the masters */
    assert_int_equal(visible(h), 0);
    harness_cycle(h);
    assert_int_equal(visible(h), 100);
    assert_int_equal(h->visible_events, 1);
    assert_int_equal(h->last_visible, 99);
    harness_close(h);
    harness_free(h);
}

static void a_count_of_images_makes_a_flush(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    h->settings.images_per_file = 1000;
    h->settings.flush_images = 3;
    h->settings.flush_idle_ns = 3600 * SLUICE_NS_PER_S;
    h->settings.flush_interval_ns = 3600 * SLUICE_NS_PER_S;
    harness_start(h);
    sluice_clock_fake_init(&h->clock, 0, 0);
    harness_open(h, 1000);
    harness_work(h);
    for (uint64_t id = 0; id < 8; id++)
        harness_image(h, id);
    harness_cycle(h);
    assert_int_equal(visible(h), 3);
    harness_work(h);
    assert_int_equal(visible(h), 6);
    harness_close(h);
    harness_counts(h, 8, 992, 0, 0);
    harness_free(h);
}

/* However they reach the disk, but not where HDF5 alone writes them. */
static void a_share_of_the_memory_for_live_readers_makes_a_flush(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    h->settings.images_per_file = 1000;
    h->settings.live_memory_bytes = 100 * 4;
    h->settings.flush_idle_ns = 3600 * SLUICE_NS_PER_S;
    h->settings.flush_interval_ns = 3600 * SLUICE_NS_PER_S;
    harness_start(h);
    sluice_clock_fake_init(&h->clock, 0, 0);
    harness_open(h, 1000);
    for (uint64_t id = 0; id < 8; id++)
        harness_image(h, id);
    harness_cycle(h);
    assert_int_equal(visible(h), h->settings.io == SLUICE_IO_HDF5 ? 0 : 8);
    harness_close(h);
    harness_counts(h, 8, 992, 0, 0);
    harness_free(h);
}

static void an_image_does_not_wait_longer_than_the_interval(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    h->settings.flush_idle_ns = 3600 * SLUICE_NS_PER_S;
    harness_start(h);
    sluice_clock_fake_init(&h->clock, 0, 0);
    harness_open(h, 100);
    harness_image(h, 0);
    harness_work(h);
    sluice_clock_fake_advance(&h->clock, 99 * SLUICE_NS_PER_MS);
    harness_work(h);
    assert_int_equal(visible(h), 0);
    sluice_clock_fake_advance(&h->clock, SLUICE_NS_PER_MS);
    harness_work(h);
    assert_int_equal(visible(h), 1);
    harness_close(h);
    /* Latency is message complete until visible: the time that went by. */
    assert_true(fabs(h->summary->latency_max_ms - 100.0) < 1e-9);
    assert_true(fabs(h->summary->seconds - 0.1) < 1e-9);
    harness_free(h);
}

static void waiting_ends_at_the_next_timer(void **state)
{
    (void)state;
    const struct sluice_clock *real = sluice_clock_system();
    struct harness *h = harness_new();
    h->settings.flush_idle_ns = 3600 * SLUICE_NS_PER_S;
    h->settings.flush_interval_ns = 30 * SLUICE_NS_PER_MS;
    harness_start(h);
    sluice_clock_fake_init(&h->clock, 0, 0);
    harness_open(h, 100);
    harness_image(h, 0);
    harness_work(h);
    int64_t begin_ns = sluice_now_ns(real);
    sluice_writer_agent_ops.wait(h->writer);
    int64_t took_ns = sluice_now_ns(real) - begin_ns;
    assert_true(took_ns >= 29 * SLUICE_NS_PER_MS && took_ns < 900 * SLUICE_NS_PER_MS);
    harness_image(h, 1); /* and does not sleep when something is there */
    begin_ns = sluice_now_ns(real);
    sluice_writer_agent_ops.wait(h->writer);
    assert_true(sluice_now_ns(real) - begin_ns < 25 * SLUICE_NS_PER_MS);
    harness_close(h);
    harness_free(h);
}

static void a_flush_for_each_durability_leaves_the_same_files(void **state)
{
    (void)state;
    static const enum sluice_durable kinds[] = {SLUICE_DURABLE_FLUSH, SLUICE_DURABLE_CLOSE};
    for (size_t k = 0; k < 2; k++) {
        struct harness *h = harness_new();
        h->settings.durable = kinds[k];
        harness_start(h);
        harness_open(h, 5);
        for (uint64_t id = 0; id < 5; id++)
            harness_image(h, id);
        harness_close(h);
        harness_counts(h, 5, 0, 0, 0);
        assert_false(h->summary->failed);
        assert_column(data_path(h, "series_7", 0), "image_id", 1, 2, 3, 4);
        harness_free(h);
    }
}

static void several_channels_have_a_dataset_and_a_checksum_column_each(void **state)
{
    (void)state;
    uint64_t first[4], second[4], ids[4];
    struct harness *h = harness_new();
    h->channels = 2;
    harness_start(h);
    harness_open(h, 3);
    for (uint64_t id = 0; id < 3; id++)
        harness_image(h, id);
    harness_close(h);
    const char *path = data_path(h, "series_7", 0);
    for (uint64_t id = 0; id < 3; id++) {
        assert_image(path, "threshold_1", id, id, 0, SLUICE_ENCODING_BSLZ4);
        assert_image(path, "threshold_2", id, id, 1, SLUICE_ENCODING_BSLZ4);
    }
    assert_int_equal(read_column(path, "checksum_threshold_1", first, 4), 3);
    assert_int_equal(read_column(path, "checksum_threshold_2", second, 4), 3);
    assert_int_equal(read_column(path, "image_id", ids, 4), 3);
    for (int i = 0; i < 3; i++)
        assert_true(first[i] != 0 && first[i] != second[i]);
    char other[1100];
    snprintf(other, sizeof(other), "%s/series_7_threshold_2_master.h5", h->directory);
    assert_true(file_exists(other));
    harness_free(h);
}

static void user_data_is_a_column_when_the_first_image_has_any(void **state)
{
    (void)state;
    char texts[2][33];
    struct harness *h = harness_new();
    h->user_data = "{\"a\":\"0123456789012345678901234567890123456789\"}";
    harness_start(h);
    harness_open(h, 2);
    harness_image(h, 0);
    h->user_data = "{}";
    harness_image(h, 1);
    harness_close(h);
    hid_t file = H5Fopen(data_path(h, "series_7", 0), H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t set = H5Dopen2(file, "/entry/data/user_data", H5P_DEFAULT);
    hid_t type = H5Dget_type(set);
    assert_int_equal(H5Tget_class(type), H5T_STRING);
    assert_int_equal(H5Tis_variable_str(type), 0);
    assert_int_equal(H5Tget_size(type), 33);
    assert_int_equal(H5Tget_strpad(type), H5T_STR_NULLTERM);
    assert_true(H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, texts) >= 0);
    assert_string_equal(texts[0], "{\"a\":\"01234567890123456789012345");
    assert_string_equal(texts[1], "{}");
    H5Tclose(type);
    H5Dclose(set);
    H5Fclose(file);
    harness_free(h);
}

static void an_image_of_another_encoding_is_encoded_as_its_file(void **state)
{
    (void)state;
    static const enum sluice_encoding kinds[] = {SLUICE_ENCODING_NONE, SLUICE_ENCODING_LZ4,
                                                 SLUICE_ENCODING_BSLZ4, SLUICE_ENCODING_LZ4_BLOCK};
    for (size_t of_file = 0; of_file < 4; of_file++) {
        struct harness *h = harness_new();
        harness_start(h);
        harness_open(h, 6);
        h->encoding = kinds[of_file];
        harness_image(h, 0);
        for (uint64_t id = 1; id < 4; id++) {
            h->encoding = kinds[(of_file + id) % 4];
            harness_image(h, id);
        }
        harness_image(h, 4); /* the next file takes this one's */
        harness_image(h, 5);
        harness_close(h);
        harness_counts(h, 6, 0, 0, 0);
        for (uint64_t id = 0; id < 4; id++)
            assert_image(data_path(h, "series_7", 0), "data", id, id, 0,
                         sluice_encoding_stored(kinds[of_file]));
        assert_image(data_path(h, "series_7", 1), "data", 0, 4, 0,
                     sluice_encoding_stored(kinds[(of_file + 3) % 4]));
        harness_free(h);
    }
}

static void datasets_have_the_properties_that_readers_need(void **state)
{
    (void)state;
    unsigned values[8], flags;
    size_t value_count = 8;
    uint16_t fill = 0;
    hsize_t dims[3], most[3];
    struct harness *h = harness_new();
    harness_start(h);
    harness_open(h, 2);
    harness_image(h, 0);
    harness_close(h);
    hid_t file = H5Fopen(data_path(h, "series_7", 0), H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t set = H5Dopen2(file, "/entry/data/data", H5P_DEFAULT);
    hid_t plist = H5Dget_create_plist(set), space = H5Dget_space(set);
    H5Sget_simple_extent_dims(space, dims, most);
    assert_int_equal(dims[0], 1);
    assert_int_equal(most[0], 4);
    assert_int_equal(H5Pget_filter2(plist, 0, &flags, &value_count, values, 0, NULL, NULL), 32008);
    const unsigned wanted[] = {0, 3, 2, 0, 2};
    assert_int_equal(value_count, 5);
    assert_memory_equal(values, wanted, sizeof(wanted));
    assert_true(H5Pget_fill_value(plist, H5T_NATIVE_UINT16, &fill) >= 0);
    assert_int_equal(fill, 65535);
    H5D_alloc_time_t alloc;
    H5D_fill_time_t when;
    H5Pget_alloc_time(plist, &alloc);
    H5Pget_fill_time(plist, &when);
    assert_int_equal(alloc, H5D_ALLOC_TIME_INCR);
    assert_int_equal(when, H5D_FILL_TIME_IFSET);
    H5Pclose(plist);
    H5Sclose(space);
    H5Dclose(set);
    H5Fclose(file);
    harness_free(h);
}

int main(int argc, char **argv)
{
    peek_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_key_follows_its_images_in_a_second_step),
        cmocka_unit_test(extents_reach_exactly_as_far_as_what_is_written),
        cmocka_unit_test(when_idle_it_flushes_not_more_often_than_allowed),
        cmocka_unit_test(it_flushes_less_often_while_nobody_waits_for_images),
        cmocka_unit_test(a_burst_that_stops_anywhere_is_visible_in_time),
        cmocka_unit_test(a_busy_ring_is_not_idle),
        cmocka_unit_test(a_count_of_images_makes_a_flush),
        cmocka_unit_test(a_share_of_the_memory_for_live_readers_makes_a_flush),
        cmocka_unit_test(an_image_does_not_wait_longer_than_the_interval),
        cmocka_unit_test(waiting_ends_at_the_next_timer),
        cmocka_unit_test(a_flush_for_each_durability_leaves_the_same_files),
        cmocka_unit_test(several_channels_have_a_dataset_and_a_checksum_column_each),
        cmocka_unit_test(user_data_is_a_column_when_the_first_image_has_any),
        cmocka_unit_test(an_image_of_another_encoding_is_encoded_as_its_file),
        cmocka_unit_test(datasets_have_the_properties_that_readers_need),
    };
    return cmocka_run_group_tests_name("writer: flush", tests, NULL, NULL);
}
