/* SPDX-License-Identifier: Apache-2.0
 *
 * The follower on small files made here: finished ones, ones whose writer died (a child process
 * that leaves without closing), and ones that lie. Growing files are tested with a live writer in
 * tests/interop/stats_vs_numpy.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <hdf5.h>

#include "core/clock.h"
#include "readers/follow/follow.h"

#define WIDTH  6
#define HEIGHT 4

static char folder[64];

static char *in_folder(const char *name)
{
    static char path[256];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

/* --- files --------------------------------------------------------------------------------- */

struct plan {
    const char *name;
    int64_t first;      /* image_nr_low */
    uint64_t keys[8];   /* image_id of each row */
    uint8_t states[8];  /* frame_status */
    hsize_t rows;       /* 0: no rows */
    hsize_t key_extent; /* 0: as rows; else what the key column claims */
    const char *second; /* a second image dataset */
    hsize_t width;      /* 0: WIDTH */
    size_t chunk_bytes; /* 0: the plane; else what is stored as a chunk */
    uint32_t filter_mask;
    bool lz4;  /* the dataset has filter 32004, its chunks are written as they are */
    bool dies; /* the writer leaves without closing */
};

static size_t filter_nothing(unsigned flags, size_t count, const unsigned values[], size_t bytes,
                             size_t *buffer_bytes, void **buffer)
{
    (void)flags, (void)count, (void)values, (void)buffer_bytes, (void)buffer;
    return bytes;
}

static void register_lz4(void)
{
    const H5Z_class2_t filter = {.version = H5Z_CLASS_T_VERS,
                                 .id = SLUICE_FILTER_LZ4,
                                 .encoder_present = 1,
                                 .decoder_present = 1,
                                 .name = "stub",
                                 .filter = filter_nothing};
    H5Zregister(&filter);
}

static hid_t make_images(hid_t group, const char *name, const struct plan *plan)
{
    hsize_t width = plan->width ? plan->width : WIDTH;
    hsize_t extent[3] = {plan->rows, HEIGHT, width}, most[3] = {8, HEIGHT, width};
    hsize_t chunk[3] = {1, HEIGHT, width};
    hid_t created = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(3, extent, most);
    H5Pset_chunk(created, 3, chunk);
    if (plan->lz4)
        H5Pset_filter(created, SLUICE_FILTER_LZ4, 0, 0, NULL);
    hid_t images = H5Dcreate2(group, name, H5T_STD_U16LE, space, H5P_DEFAULT, created, H5P_DEFAULT);
    hid_t scalar = H5Screate(H5S_SCALAR);
    hid_t low = H5Acreate2(images, "image_nr_low", H5T_STD_I64LE, scalar, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(low, H5T_NATIVE_INT64, &plan->first);
    H5Aclose(low);
    H5Sclose(scalar);
    H5Sclose(space);
    H5Pclose(created);
    return images;
}

static hid_t make_column(hid_t group, const char *name, hid_t type, hsize_t extent,
                         const void *cells, hsize_t count)
{
    hsize_t most = H5S_UNLIMITED, chunk = 64;
    hid_t created = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(1, &extent, &most);
    H5Pset_chunk(created, 1, &chunk);
    hid_t column = H5Dcreate2(group, name, type, space, H5P_DEFAULT, created, H5P_DEFAULT);
    if (count) {
        hsize_t start = 0;
        hid_t memory = H5Screate_simple(1, &count, NULL);
        H5Sselect_hyperslab(space, H5S_SELECT_SET, &start, NULL, &count, NULL);
        H5Dwrite(column, type, memory, space, H5P_DEFAULT, cells);
        H5Sclose(memory);
    }
    H5Sclose(space);
    H5Pclose(created);
    return column;
}

static void write_chunks(hid_t images, const struct plan *plan)
{
    hsize_t width = plan->width ? plan->width : WIDTH;
    size_t bytes = plan->chunk_bytes ? plan->chunk_bytes : HEIGHT * width * 2;
    uint8_t *chunk = malloc(bytes);
    for (hsize_t row = 0; row < plan->rows; row++) {
        hsize_t offset[3] = {row, 0, 0};
        memset(chunk, (int)row + 1, bytes);
        if (plan->keys[row])
            H5Dwrite_chunk(images, H5P_DEFAULT, plan->filter_mask, offset, bytes, chunk);
    }
    free(chunk);
}

static void make_file(const struct plan *plan)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110);
    hid_t file = H5Fcreate(in_folder(plan->name), H5F_ACC_TRUNC, H5P_DEFAULT, access);
    hid_t entry = H5Gcreate2(file, "entry", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    hid_t group = H5Gcreate2(entry, "data", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    hid_t images = make_images(group, plan->second ? "one" : "data", plan), second = -1;
    if (plan->second)
        second = make_images(group, plan->second, plan);
    hsize_t key_extent = plan->key_extent ? plan->key_extent : plan->rows;
    hid_t key = make_column(group, "image_id", H5T_STD_U64LE, key_extent, plan->keys, plan->rows);
    hid_t states =
        make_column(group, "frame_status", H5T_STD_U8LE, plan->rows, plan->states, plan->rows);
    H5Gclose(group);
    H5Gclose(entry);
    H5Pclose(access);
    if (plan->dies)
        H5Fstart_swmr_write(file);
    write_chunks(images, plan);
    if (second >= 0)
        write_chunks(second, plan);
    if (plan->dies) {
        H5Fflush(file, H5F_SCOPE_GLOBAL);
        _exit(0);
    }
    if (second >= 0)
        H5Dclose(second);
    H5Dclose(states);
    H5Dclose(key);
    H5Dclose(images);
    H5Fclose(file);
}

/* In a process of its own, so that it can die, and so that nothing of it is open here. */
static void make(const struct plan *plan)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        register_lz4();
        make_file(plan);
        _exit(0);
    }
    int result = -1;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
}

/* A master with a link, a mask of any size, a saturation value and the writer's state. */
static void make_master(const char *name, const char *target, const char *dataset, hsize_t width,
                        uint32_t mask_value, const char *state)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child > 0) {
        int result = -1;
        assert_int_equal(waitpid(child, &result, 0), child);
        assert_int_equal(result, 0);
        return;
    }
    char part[300];
    snprintf(part, sizeof(part), "%s.part", in_folder(name));
    hid_t file = H5Fcreate(part, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t many = H5Pcreate(H5P_LINK_CREATE), scalar = H5Screate(H5S_SCALAR);
    H5Pset_create_intermediate_group(many, 1);
    char object[64];
    snprintf(object, sizeof(object), "/entry/data/%s", dataset);
    H5Lcreate_external(target, object, file, "entry/data/data_000001", many, H5P_DEFAULT);
    uint32_t *mask = calloc(HEIGHT * width, sizeof(*mask));
    mask[1] = mask_value;
    hsize_t extent[2] = {HEIGHT, width};
    hid_t space = H5Screate_simple(2, extent, NULL);
    hid_t d = H5Dcreate2(file, "entry/instrument/detector/pixel_mask", H5T_STD_U32LE, space, many,
                         H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(d, H5T_NATIVE_UINT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, mask);
    int64_t saturation = 1000 + mask_value;
    hid_t s = H5Dcreate2(file, "entry/instrument/detector/saturation_value", H5T_STD_I64LE, scalar,
                         many, H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(s, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, &saturation);
    if (state) {
        hid_t text = H5Tcopy(H5T_C_S1);
        H5Tset_size(text, strlen(state) + 1);
        hid_t a = H5Acreate2(file, "sluice_state", text, scalar, H5P_DEFAULT, H5P_DEFAULT);
        H5Awrite(a, text, state);
        H5Aclose(a);
    }
    H5Dclose(s);
    H5Dclose(d);
    H5Fclose(file);
    _exit(rename(part, in_folder(name)) == 0 ? 0 : 1);
}

static struct sluice_follow *open_ok(const char *name)
{
    struct sluice_follow *follow = NULL;
    struct sluice_error error = {0};
    if (sluice_follow_open(in_folder(name), 0, NULL, &follow, &error) != SLUICE_OK)
        fail_msg("%s", error.message);
    return follow;
}

static void expect_row(struct sluice_follow *follow, uint64_t image, enum sluice_row_status status)
{
    struct sluice_follow_row row;
    struct sluice_error error = {0};
    assert_int_equal(sluice_follow_next(follow, 0, &row, &error), SLUICE_OK);
    assert_int_equal(row.image, image);
    assert_int_equal(row.status, status);
}

static void expect_answer(struct sluice_follow *follow, int64_t timeout_ns,
                          enum sluice_status answer)
{
    struct sluice_follow_row row;
    struct sluice_error error = {0};
    assert_int_equal(sluice_follow_next(follow, timeout_ns, &row, &error), answer);
}

/* --- tests --------------------------------------------------------------------------------- */

static void every_file_of_a_set_leads_to_the_same_rows(void **test)
{
    (void)test;
    make(&(struct plan){.name = "a_data_000001.h5", .first = 1, .rows = 2, .keys = {1, 2}});
    make(&(struct plan){.name = "a_data_000002.h5", .first = 3, .rows = 1, .keys = {3}});
    make_master("a_master.h5", "a_data_000001.h5", "data", WIDTH, 1, "done");
    static const char *const names[] = {"a_data_000001.h5", "a_data_000002.h5", "a_master.h5",
                                        "a.nxs", "a"};
    for (int i = 0; i < 5; i++) {
        struct sluice_follow *follow = open_ok(names[i]);
        for (uint64_t image = 0; image < 3; image++)
            expect_row(follow, image, SLUICE_ROW_WRITTEN);
        expect_answer(follow, -1, SLUICE_END);
        assert_true(sluice_follow_finished(follow));
        assert_int_equal(sluice_follow_newest(follow), 3);
        sluice_follow_close(follow);
    }
}

static void a_row_whose_key_is_not_its_own_number_is_lost(void **test)
{
    (void)test;
    make(&(struct plan){.name = "b_data_000002.h5",
                        .first = 5,
                        .rows = 5,
                        .keys = {5, 0, 99, 0, 9},
                        .states = {1, 2, 1, 3, 1}});
    struct sluice_follow *follow = open_ok("b_data_000002.h5");
    expect_row(follow, 4, SLUICE_ROW_WRITTEN);
    expect_row(follow, 5, SLUICE_ROW_LOST);
    expect_row(follow, 6, SLUICE_ROW_LOST);
    expect_row(follow, 7, SLUICE_ROW_REFUSED);
    expect_row(follow, 8, SLUICE_ROW_WRITTEN);
    expect_answer(follow, 0, SLUICE_END);
    sluice_follow_close(follow);
}

static void after_the_writer_died_the_visible_rows_come_and_then_again(void **test)
{
    (void)test;
    make(&(struct plan){
        .name = "c_data_000001.h5", .first = 1, .rows = 3, .keys = {1, 0, 3}, .dies = true});
    make_master("c_master.h5", "c_data_000001.h5", "data", WIDTH, 1, "writing");
    struct sluice_follow *follow = open_ok("c_master.h5");
    expect_row(follow, 0, SLUICE_ROW_WRITTEN);
    expect_row(follow, 2, SLUICE_ROW_WRITTEN);
    const struct sluice_clock *clock = sluice_clock_system();
    int64_t start = sluice_now_ns(clock);
    expect_answer(follow, 300 * SLUICE_NS_PER_MS, SLUICE_AGAIN);
    int64_t took = sluice_now_ns(clock) - start;
    assert_in_range(took, 300 * SLUICE_NS_PER_MS, 1500 * SLUICE_NS_PER_MS);
    assert_false(sluice_follow_finished(follow));
    make_master("c_master.h5", "c_data_000001.h5", "data", WIDTH, 1, "failed");
    expect_row(follow, 1, SLUICE_ROW_LOST); /* the series has ended, so it is decided */
    expect_answer(follow, 0, SLUICE_END);
    assert_false(sluice_follow_finished(follow));
    sluice_follow_close(follow);
}

static void a_set_that_does_not_come_is_waited_for_as_long_as_told(void **test)
{
    (void)test;
    struct sluice_follow *follow = NULL;
    struct sluice_error error = {0};
    const struct sluice_clock *clock = sluice_clock_system();
    int64_t start = sluice_now_ns(clock);
    assert_int_equal(sluice_follow_open(in_folder("none_master.h5"), 200 * SLUICE_NS_PER_MS, NULL,
                                        &follow, &error),
                     SLUICE_NOT_FOUND);
    int64_t took = sluice_now_ns(clock) - start;
    assert_in_range(took, 200 * SLUICE_NS_PER_MS, 1200 * SLUICE_NS_PER_MS);
    assert_null(follow);
    assert_non_null(strstr(error.message, "none_master.h5"));
}

static void a_chunk_larger_than_its_plane_can_need_is_refused(void **test)
{
    (void)test;
    make(&(struct plan){.name = "e_data_000001.h5",
                        .first = 1,
                        .rows = 1,
                        .keys = {1},
                        .chunk_bytes = 60000,
                        .lz4 = true});
    struct sluice_follow *follow = open_ok("e_data_000001.h5");
    struct sluice_follow_row row;
    struct sluice_error error = {0};
    struct sluice_span chunk;
    enum sluice_encoding encoding;
    assert_int_equal(sluice_follow_next(follow, 0, &row, &error), SLUICE_OK);
    assert_int_equal(sluice_follow_chunk(follow, &row, 0, &chunk, &encoding, &error),
                     SLUICE_MALFORMED);
    assert_non_null(strstr(error.message, "60000"));
    sluice_follow_close(follow);
}

static void a_chunk_comes_as_it_is_stored_and_says_when_its_filter_was_left_out(void **test)
{
    (void)test;
    for (uint32_t skipped = 0; skipped < 2; skipped++) {
        make(&(struct plan){.name = "f_data_000001.h5",
                            .first = 1,
                            .rows = 2,
                            .keys = {1, 2},
                            .lz4 = true,
                            .filter_mask = skipped});
        struct sluice_follow *follow = open_ok("f_data_000001.h5");
        assert_int_equal(sluice_follow_channel(follow, 0)->encoding, SLUICE_ENCODING_LZ4);
        struct sluice_follow_row row;
        struct sluice_error error = {0};
        struct sluice_span chunk;
        enum sluice_encoding encoding;
        uint64_t checksum;
        for (int i = 0; i < 2; i++) {
            assert_int_equal(sluice_follow_next(follow, 0, &row, &error), SLUICE_OK);
            assert_int_equal(sluice_follow_chunk(follow, &row, 0, &chunk, &encoding, &error),
                             SLUICE_OK);
            assert_int_equal(chunk.bytes, WIDTH * HEIGHT * 2);
            assert_int_equal(chunk.data[0], i + 1);
            assert_int_equal(encoding, skipped ? SLUICE_ENCODING_NONE : SLUICE_ENCODING_LZ4);
            assert_false(sluice_follow_checksum(follow, &row, 0, &checksum));
            assert_true(sluice_follow_is_direct(follow, &row, 0));
            assert_int_equal(sluice_follow_payload(follow, &row, 0, &chunk, &encoding, &error),
                             SLUICE_OK);
            assert_int_equal(chunk.bytes, WIDTH * HEIGHT * 2);
            assert_int_equal(encoding, skipped ? SLUICE_ENCODING_NONE : SLUICE_ENCODING_LZ4);
        }
        assert_int_equal(sluice_follow_next(follow, 0, &row, &error), SLUICE_END);
        /* The file was released meanwhile: its chunks still come. */
        row = (struct sluice_follow_row){.status = SLUICE_ROW_WRITTEN};
        assert_int_equal(sluice_follow_chunk(follow, &row, 0, &chunk, &encoding, &error),
                         SLUICE_OK);
        assert_int_equal(chunk.data[0], 1);
        sluice_follow_close(follow);
    }
}

static void a_file_that_claims_absurdly_many_images_is_refused(void **test)
{
    (void)test;
    make(&(struct plan){.name = "g_data_000001.h5",
                        .first = 1,
                        .rows = 1,
                        .keys = {1},
                        .key_extent = (hsize_t)1 << 50});
    struct sluice_follow *follow = open_ok("g_data_000001.h5");
    expect_answer(follow, 0, SLUICE_LIMIT);
    sluice_follow_close(follow);
}

static void files_that_do_not_fit_together_are_refused(void **test)
{
    (void)test;
    make(&(struct plan){.name = "h_data_000001.h5", .first = 1, .rows = 1, .keys = {1}});
    make(&(struct plan){
        .name = "h_data_000002.h5", .first = 2, .rows = 1, .keys = {2}, .width = WIDTH + 1});
    struct sluice_follow *follow = open_ok("h_data_000001.h5");
    expect_answer(follow, 0, SLUICE_MISMATCH);
    sluice_follow_close(follow);
}

static void each_channel_has_the_mask_of_its_own_master(void **test)
{
    (void)test;
    make(&(struct plan){
        .name = "i_data_000001.h5", .first = 1, .rows = 1, .keys = {1}, .second = "two"});
    make_master("i_master.h5", "i_data_000001.h5", "two", WIDTH, 2, "done");
    make_master("i_one_master.h5", "i_data_000001.h5", "one", WIDTH, 1, "done");
    static const char *const names[] = {"i_master.h5", "i_one_master.h5"};
    for (int i = 0; i < 2; i++) {
        struct sluice_follow *follow = open_ok(names[i]);
        assert_int_equal(sluice_follow_channel_count(follow), 2);
        for (uint32_t channel = 0; channel < 2; channel++) {
            bool two = strcmp(sluice_follow_channel(follow, channel)->dataset, "two") == 0;
            int64_t saturation = 0;
            assert_non_null(sluice_follow_mask(follow, channel));
            assert_int_equal(sluice_follow_mask(follow, channel)[1], two ? 2 : 1);
            assert_true(sluice_follow_saturation(follow, channel, &saturation));
            assert_int_equal(saturation, two ? 1002 : 1001);
        }
        sluice_follow_close(follow);
    }
}

static void a_mask_of_another_size_is_not_used(void **test)
{
    (void)test;
    make(&(struct plan){.name = "j_data_000001.h5", .first = 1, .rows = 1, .keys = {1}});
    make_master("j_master.h5", "j_data_000001.h5", "data", WIDTH + 3, 1, "done");
    struct sluice_follow *follow = open_ok("j_master.h5");
    assert_null(sluice_follow_mask(follow, 0));
    sluice_follow_close(follow);
}

static void a_gap_between_files_that_no_series_has_is_an_error(void **test)
{
    (void)test;
    make(&(struct plan){.name = "k_data_000001.h5", .first = 1, .rows = 1, .keys = {1}});
    make(&(struct plan){.name = "k_data_000002.h5", .first = INT64_MAX, .rows = 0});
    make(&(struct plan){.name = "k_data_000003.h5",
                        .first = (int64_t)1 << 40,
                        .rows = 1,
                        .keys = {UINT64_C(1) << 40}});
    struct sluice_follow *follow = open_ok("k_data_000001.h5");
    expect_row(follow, 0, SLUICE_ROW_WRITTEN);
    expect_row(follow, (UINT64_C(1) << 40) - 1, SLUICE_ROW_WRITTEN);
    expect_answer(follow, 0, SLUICE_MALFORMED);
    sluice_follow_close(follow);
}

static int make_folder(void **test)
{
    (void)test;
    snprintf(folder, sizeof(folder), "%s", "/tmp/sluice-test-follow-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **test)
{
    (void)test;
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_file_of_a_set_leads_to_the_same_rows),
        cmocka_unit_test(a_row_whose_key_is_not_its_own_number_is_lost),
        cmocka_unit_test(after_the_writer_died_the_visible_rows_come_and_then_again),
        cmocka_unit_test(a_set_that_does_not_come_is_waited_for_as_long_as_told),
        cmocka_unit_test(a_chunk_larger_than_its_plane_can_need_is_refused),
        cmocka_unit_test(a_chunk_comes_as_it_is_stored_and_says_when_its_filter_was_left_out),
        cmocka_unit_test(a_file_that_claims_absurdly_many_images_is_refused),
        cmocka_unit_test(files_that_do_not_fit_together_are_refused),
        cmocka_unit_test(each_channel_has_the_mask_of_its_own_master),
        cmocka_unit_test(a_mask_of_another_size_is_not_used),
        cmocka_unit_test(a_gap_between_files_that_no_series_has_is_an_error),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
