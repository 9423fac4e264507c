/* SPDX-License-Identifier: Apache-2.0
 *
 * The way to the images, and what happens to the file itself: the mappings, geometry, mode, and
 * that whatever fails leaves the old master alone and no temporary file behind. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "writer/h5/h5.h"

#define EXPORTED __attribute__((visibility("default")))

/* Stands before libc's: HDF5 writes through it. The disk is full after so many bytes. */
static int64_t room_bytes = INT64_MAX;
EXPORTED ssize_t pwrite(int fd, const void *data, size_t bytes, off_t offset)
{
    if (room_bytes < (int64_t)bytes) {
        room_bytes = 0;
        errno = ENOSPC;
        return -1;
    }
    room_bytes -= (int64_t)bytes;
    return syscall(SYS_pwrite64, fd, data, bytes, offset);
}

static int held; /* masters that were renamed over while somebody had them open */
/* Descriptors of ours that lead to that file. */
static int descriptors_of(const struct stat *wanted)
{
    struct stat there;
    int count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fstat(fd, &there) == 0 && there.st_ino == wanted->st_ino &&
                 there.st_dev == wanted->st_dev;
    return count;
}
EXPORTED int rename(const char *from, const char *to)
{
    struct stat replaced;
    if (stat(to, &replaced) == 0)
        held += descriptors_of(&replaced);
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

/* HDF5 closes a file that could not be written, but keeps what it knew of it (some 100 KB). */
EXPORTED const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

static void assert_pixels(const struct fixture *fixture, bool nxs, uint64_t rows,
                          const int *images) /* -1: no data */
{
    uint16_t pixels[32][HEIGHT][WIDTH];
    hid_t file = open_master(fixture, nxs);
    hid_t dataset = H5Dopen2(file, nxs ? "/entry/data/data" : "/entry/data/images", H5P_DEFAULT);
    hid_t space = H5Dget_space(dataset);
    assert_int_equal(H5Sget_simple_extent_npoints(space), rows * PIXELS);
    assert_true(H5Dread(dataset, H5T_NATIVE_UINT16, H5S_ALL, H5S_ALL, H5P_DEFAULT, pixels) >= 0);
    for (uint64_t row = 0; row < rows; row++) {
        for (int i = 0; i < (int)PIXELS; i++)
            assert_int_equal(pixels[row][i / WIDTH][i % WIDTH],
                             images[row] < 0 ? UINT16_MAX : 100 * images[row] + i);
    }
    H5Sclose(space);
    H5Dclose(dataset);
    H5Fclose(file);
}

static void all_files_read_as_one_dataset_in_both_files(void **state)
{
    struct fixture *fixture = *state;
    const int images[] = {0, 1, 2, 3, 4, 5, 6};
    const hsize_t shape[3] = {7, HEIGHT, WIDTH};
    add_data_file(fixture, 0, 3);
    add_data_file(fixture, 3, 3);
    add_data_file(fixture, 6, 1);
    write_masters(fixture);
    for (int nxs = 0; nxs < 2; nxs++) {
        assert_pixels(fixture, nxs, 7, images);
        hid_t file = open_master(fixture, nxs);
        assert_shape(file, nxs ? "/entry/data/data" : "/entry/data/images", 3, shape, shape);
        assert_attribute_text(file, "/entry/data", "signal", nxs ? "data" : "images");
        assert_int_equal(is_there(file, "/entry/data/data_000003"), !nxs);
        assert_int_equal(is_there(file, "/entry/data/data"), nxs);
        H5Fclose(file);
    }
}

static void rows_between_files_read_as_no_data(void **state)
{
    struct fixture *fixture = *state;
    const int images[] = {0, 1, -1, -1, 4, 5};
    add_data_file(fixture, 0, 2);
    add_data_file(fixture, 4, 2);
    fixture->files[1].first_row = 4;
    write_masters(fixture);
    assert_pixels(fixture, false, 6, images);
    hid_t file = open_master(fixture, false);
    assert_value(file, SPECIFIC "/nimages", H5T_STD_I32LE, NULL, 6);
    H5Fclose(file);
}

static void a_link_keeps_the_number_of_its_file(void **state)
{
    struct fixture *fixture = *state;
    char third[128], other[128];
    add_data_file(fixture, 0, 2);
    add_data_file(fixture, 4, 2);
    add_data_file(fixture, 6, 1);
    snprintf(third, sizeof third, "%s/a_data_b_data_000003.h5", fixture->directory);
    snprintf(other, sizeof other, "%s/scan.h5", fixture->directory);
    fixture->files[1].path = third;
    fixture->files[2].path = other;
    fixture->files[1].first_row = 4;
    assert_int_equal(rename(fixture->paths[1], third), 0);
    assert_int_equal(rename(fixture->paths[2], other), 0);
    fixture->input.file_count = 2;
    write_masters(fixture);
    hid_t file = open_master(fixture, false);
    assert_true(is_there(file, "/entry/data/data_000001"));
    assert_false(is_there(file, "/entry/data/data_000002"));
    assert_true(is_there(file, "/entry/data/data_000003"));
    H5Fclose(file);
    fixture->files[1].path = other; /* not a name of ours: by place */
    write_masters(fixture);
    file = open_master(fixture, false);
    assert_true(is_there(file, "/entry/data/data_000002"));
    H5Fclose(file);
}

static void a_growing_file_is_mapped_without_limit(void **state)
{
    struct fixture *fixture = *state;
    const hsize_t shape[3] = {5, HEIGHT, WIDTH};
    const hsize_t maximum[3] = {H5S_UNLIMITED, HEIGHT, WIDTH};
    know_everything(fixture->series);
    fixture->series->number_of_images = 100;
    add_data_file(fixture, 0, 3);
    add_data_file(fixture, 3, 2);
    fixture->files[1].growing = true;
    fixture->files[1].rows = 3; /* at most; 2 are there */
    fixture->input.state = SLUICE_MASTER_WRITING;
    write_masters(fixture);
    for (int nxs = 0; nxs < 2; nxs++) {
        hid_t file = open_master(fixture, nxs);
        assert_shape(file, nxs ? "/entry/data/data" : "/entry/data/images", 3, shape, maximum);
        assert_value(file, SPECIFIC "/nimages", H5T_STD_I32LE, NULL, 6);
        H5Fclose(file);
    }
    assert_pixels(fixture, false, 5, (const int[]){0, 1, 2, 3, 4});
}

static void a_set_without_images_can_be_opened(void **state)
{
    struct fixture *fixture = *state;
    const hsize_t none[3] = {0, HEIGHT, WIDTH}, no_rows[1] = {0};
    know_everything(fixture->series);
    add_data_file(fixture, 0, 0);
    write_masters(fixture);
    hid_t file = open_master(fixture, false);
    assert_shape(file, "/entry/data/images", 3, none, none);
    assert_shape(file, AXES "/omega", 1, no_rows, no_rows);
    assert_value(file, SPECIFIC "/nimages", H5T_STD_I32LE, NULL, 0);
    H5Fclose(file);
}

static void the_module_lies_where_the_beam_centre_says(void **state)
{
    struct fixture *fixture = *state;
    double x = 2.5 * 75e-6, y = 1.5 * 76e-6;
    know_everything(fixture->series);
    write_masters(fixture);
    hid_t file = open_master(fixture, false);
    assert_text(file, DETECTOR "/depends_on", DETECTOR "/transformations/translation");
    assert_value(file, DETECTOR "/transformations/translation", H5T_IEEE_F64LE, "m", .25);
    assert_vector(file, DETECTOR "/transformations/translation", 0, 0, 1);
    assert_value(file, MODULE "/module_offset", H5T_IEEE_F64LE, "m", hypot(x, y));
    assert_vector(file, MODULE "/module_offset", x / hypot(x, y), y / hypot(x, y), 0);
    assert_attribute_text(file, MODULE "/module_offset", "depends_on",
                          DETECTOR "/transformations/translation");
    assert_value(file, MODULE "/fast_pixel_direction", H5T_IEEE_F64LE, "m", 75e-6);
    assert_vector(file, MODULE "/fast_pixel_direction", -1, 0, 0);
    assert_value(file, MODULE "/slow_pixel_direction", H5T_IEEE_F64LE, "m", 76e-6);
    assert_vector(file, MODULE "/slow_pixel_direction", 0, -1, 0);
    assert_attribute_text(file, MODULE "/slow_pixel_direction", "depends_on",
                          MODULE "/module_offset");
    assert_values(file, MODULE "/data_size", H5T_STD_I32LE, NULL, 2,
                  (const double[]){HEIGHT, WIDTH});
    H5Fclose(file);
}

static void a_beam_through_the_corner_gives_a_unit_vector_all_the_same(void **state)
{
    struct fixture *fixture = *state;
    know_everything(fixture->series);
    fixture->series->beam_center_x = fixture->series->beam_center_y = 0;
    write_masters(fixture);
    hid_t file = open_master(fixture, false);
    assert_value(file, MODULE "/module_offset", H5T_IEEE_F64LE, "m", 0);
    assert_vector(file, MODULE "/module_offset", 1, 0, 0);
    H5Fclose(file);
}

static void add_axis(struct fixture *fixture, const char *name, double start, double increment)
{
    struct sluice_axis *axis = &fixture->series->axes[fixture->series->axis_count++];
    snprintf(axis->name, sizeof axis->name, "%s", name);
    axis->start = start;
    axis->increment = increment;
}

static void the_axis_that_turns_carries_the_sample(void **state)
{
    struct fixture *fixture = *state;
    add_axis(fixture, "chi", 5, 0);
    add_axis(fixture, "omega", 10, .5);
    add_data_file(fixture, 0, 3);
    write_masters(fixture);
    hid_t file = open_master(fixture, false);
    assert_text(file, "/entry/sample/depends_on", AXES "/omega");
    assert_values(file, AXES "/omega", H5T_IEEE_F64LE, "degree", 3, (const double[]){10, 10.5, 11});
    assert_values(file, AXES "/omega_end", H5T_IEEE_F64LE, "degree", 3,
                  (const double[]){10.5, 11, 11.5});
    assert_values(file, AXES "/omega_increment_set", H5T_IEEE_F64LE, "degree", 3,
                  (const double[]){.5, .5, .5});
    assert_values(file, AXES "/chi", H5T_IEEE_F64LE, "degree", 3, (const double[]){5, 5, 5});
    assert_attribute_text(file, AXES "/omega", "transformation_type", "rotation");
    assert_attribute_text(file, AXES "/omega", "depends_on", ".");
    assert_attribute_text(file, AXES "/chi", "depends_on", ".");
    assert_vector(file, AXES "/omega", -1, 0, 0);
    H5Fclose(file);
}

static void an_axis_longer_than_a_piece_is_whole(void **state)
{
    static double values[200001];
    const size_t rows = sizeof values / sizeof values[0];
    struct fixture *fixture = *state;
    add_axis(fixture, "omega", 10, .125);
    add_data_file(fixture, 0, 3);
    fixture->files[0].rows = rows; /* nobody looks into it */
    write_masters(fixture);
    hid_t file = open_master(fixture, true);
    for (size_t i = 0; i < rows; i++)
        values[i] = 10 + (double)i * .125;
    assert_values(file, AXES "/omega", H5T_IEEE_F64LE, "degree", rows, values);
    for (size_t i = 0; i < rows; i++)
        values[i] = .125;
    assert_values(file, AXES "/omega_increment_set", H5T_IEEE_F64LE, "degree", rows, values);
    H5Fclose(file);
}

static void configured_axes_stand_on_each_other_in_their_order(void **state)
{
    struct fixture *fixture = *state;
    fixture->metadata.rotation_axis = "phi";
    fixture->metadata.axis_count = 4;
    fixture->metadata.axes[0] = (struct sluice_axis_setting){"two_theta", {-1, 0, 0}};
    fixture->metadata.axes[1] = (struct sluice_axis_setting){"omega", {0, 3, 4}};
    fixture->metadata.axes[2] = (struct sluice_axis_setting){"kappa", {0, 1, 0}};
    fixture->metadata.axes[3] = (struct sluice_axis_setting){"phi", {1, 0, 0}};
    add_axis(fixture, "omega", 1, .1);
    add_axis(fixture, "phi", 2, 0);
    add_axis(fixture, "two_theta", 3, 0);
    add_data_file(fixture, 0, 2);
    write_masters(fixture);
    hid_t file = open_master(fixture, false);
    assert_text(file, "/entry/sample/depends_on", AXES "/phi");
    assert_attribute_text(file, AXES "/phi", "depends_on", AXES "/omega"); /* kappa is not here */
    assert_attribute_text(file, AXES "/omega", "depends_on", ".");
    assert_attribute_text(file, AXES "/two_theta", "depends_on", ".");
    assert_vector(file, AXES "/omega", 0, .6, .8);
    assert_vector(file, AXES "/phi", 1, 0, 0);
    H5Fclose(file);
}

static void the_sample_stands_on_the_last_axis_of_the_chain_that_turns(void **state)
{
    struct fixture *fixture = *state;
    fixture->metadata.axis_count = 3;
    fixture->metadata.axes[0] = (struct sluice_axis_setting){"omega", {-1, 0, 0}};
    fixture->metadata.axes[1] = (struct sluice_axis_setting){"phi", {0, 1, 0}};
    fixture->metadata.axes[2] = (struct sluice_axis_setting){"two_theta", {-1, 0, 0}};
    add_axis(fixture, "two_theta", 3, 1); /* moves too, but carries the detector */
    add_axis(fixture, "phi", 2, 0);
    add_axis(fixture, "omega", 1, .1);
    add_data_file(fixture, 0, 2);
    write_masters(fixture);
    hid_t file = open_master(fixture, false);
    assert_text(file, "/entry/sample/depends_on", AXES "/phi");
    assert_attribute_text(file, AXES "/phi", "depends_on", AXES "/omega");
    H5Fclose(file);
    /* With one image the values do not tell which one turns: then it is named itself. */
    fixture->files[0].rows = 1;
    write_masters(fixture);
    file = open_master(fixture, false);
    assert_text(file, "/entry/sample/depends_on", AXES "/omega");
    H5Fclose(file);
}

static void axis_names_from_outside_cannot_break_the_file(void **state)
{
    struct fixture *fixture = *state;
    add_axis(fixture, "omega", 1, 0);
    add_axis(fixture, "omega_end", 2, 0);  /* taken */
    add_axis(fixture, "omega", 3, 0);      /* taken */
    add_axis(fixture, "../../../x", 4, 0); /* not a path */
    add_axis(fixture, "", 5, 0);
    add_axis(fixture, "unknown", NAN, .1);
    add_axis(fixture, "still", 6, NAN);
    add_data_file(fixture, 0, 1);
    write_masters(fixture);
    hid_t file = open_master(fixture, false);
    assert_values(file, AXES "/omega", H5T_IEEE_F64LE, "degree", 1, (const double[]){1});
    assert_values(file, AXES "/omega_end", H5T_IEEE_F64LE, "degree", 1, (const double[]){1});
    assert_values(file, AXES "/still_end", H5T_IEEE_F64LE, "degree", 1, (const double[]){6});
    assert_false(is_there(file, AXES "/unknown"));
    assert_false(is_there(file, "/entry/x"));
    assert_false(is_there(file, "/x"));
    H5Fclose(file);
}

static struct stat info_of(const struct fixture *fixture, const char *name)
{
    char path[256];
    struct stat info;
    snprintf(path, sizeof path, "%s/%s", fixture->directory, name);
    assert_int_equal(stat(path, &info), 0);
    return info;
}

static uint32_t mode_of(const struct fixture *fixture, const char *name)
{
    return info_of(fixture, name).st_mode & 07777;
}

static void a_finished_master_cannot_be_written_to(void **state)
{
    struct fixture *fixture = *state;
    fixture->input.mode = 0664;
    fixture->input.sync = true;
    fixture->input.state = SLUICE_MASTER_WRITING;
    write_masters(fixture);
    assert_int_equal(mode_of(fixture, "run_master.h5"), 0664);
    fixture->input.state = SLUICE_MASTER_DONE;
    write_masters(fixture);
    assert_int_equal(mode_of(fixture, "run_master.h5"), 0444);
    assert_int_equal(mode_of(fixture, "run.nxs"), 0444);
    assert_int_equal(count_files(fixture, ""), 2 + 2); /* . and .. */
}

static void the_group_is_set_and_an_unknown_one_only_warned_of(void **state)
{
    struct fixture *fixture = *state;
    char number[32];
    snprintf(number, sizeof number, "%u", (unsigned)getgid());
    fixture->input.group = number;
    write_masters(fixture);
    fixture->input.group = "no such group here";
    write_masters(fixture);
    assert_int_equal(count_files(fixture, "run_master.h5"), 1);
}

static void a_full_disk_leaves_the_old_master_and_nothing_else(void **state)
{
    struct fixture *fixture = *state;
    know_everything(fixture->series);
    write_masters(fixture);
    /* At every write in turn, until there is room for all of them. */
    int failures = 0;
    for (int64_t room = 0; room < 1 << 20; room += 997) {
        struct sluice_error error = {.status = SLUICE_OK};
        fixture->input.state = SLUICE_MASTER_FAILED;
        room_bytes = room;
        enum sluice_status status = sluice_master_write(&fixture->input, &error);
        room_bytes = INT64_MAX;
        if (status == SLUICE_OK)
            break;
        failures++;
        assert_int_equal(status, SLUICE_NO_SPACE);
        assert_int_equal(error.code, ENOSPC);
        assert_non_null(strstr(error.message, fixture->directory));
        assert_non_null(strstr(error.message, "No space left"));
        hid_t file = open_master(fixture, true); /* written last: still the old one */
        assert_attribute_text(file, "/", "sluice_state", "done");
        H5Fclose(file);
        assert_int_equal(count_files(fixture, ""), 2 + 2);
    }
    assert_true(failures > 10);
    hid_t file = open_master(fixture, true);
    assert_attribute_text(file, "/", "sluice_state", "failed");
    H5Fclose(file);
}

static void a_missing_directory_is_an_error_that_names_it(void **state)
{
    struct fixture *fixture = *state;
    struct sluice_error error = {.status = SLUICE_OK};
    fixture->input.name = "not/there";
    assert_int_equal(sluice_master_write(&fixture->input, &error), SLUICE_IO);
    assert_non_null(strstr(error.message, "not/there_master.h5"));
    assert_non_null(strstr(error.message, "No such file or directory"));
}

static void what_a_dead_process_left_is_no_obstacle(void **state)
{
    struct fixture *fixture = *state;
    char path[256];
    snprintf(path, sizeof path, "%s/.run_master.h5.tmp-%ld", fixture->directory, (long)getpid());
    FILE *stale = fopen(path, "w");
    assert_non_null(stale);
    fclose(stale);
    write_masters(fixture);
    assert_int_equal(count_files(fixture, ""), 2 + 2);
}

static void only_files_of_our_own_are_replaced(void **state)
{
    struct fixture *fixture = *state;
    struct sluice_error error = {.status = SLUICE_OK};
    uint8_t ours = 0;
    char path[256], content[16];
    fixture->input.ours = &ours;
    snprintf(path, sizeof path, "%s/run.nxs", fixture->directory);
    FILE *other = fopen(path, "w+");
    assert_non_null(other);
    fputs("not ours", other);
    fflush(other);
    assert_int_equal(sluice_master_write(&fixture->input, &error), SLUICE_EXISTS);
    assert_non_null(strstr(error.message, "run.nxs"));
    assert_int_equal(ours, SLUICE_MASTER_LINKS_OURS);
    fclose(other);
    other = fopen(path, "r");
    assert_non_null(other);
    assert_non_null(fgets(content, sizeof content, other));
    assert_string_equal(content, "not ours");
    fclose(other);
    unlink(path);
    for (int i = 0; i < 2; i++) { /* the second time both are there, and ours */
        sluice_error_clear(&error);
        assert_int_equal(sluice_master_write(&fixture->input, &error), SLUICE_OK);
        assert_int_equal(ours, SLUICE_MASTER_LINKS_OURS | SLUICE_MASTER_NXMX_OURS);
        assert_int_equal(count_files(fixture, ""), 2 + 2);
    }
}

static void a_path_that_is_too_long_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct sluice_error error = {.status = SLUICE_OK};
    char name[SLUICE_PATH_BYTES + 1];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    fixture->input.name = name;
    assert_int_equal(sluice_master_write(&fixture->input, &error), SLUICE_LIMIT);
}

#define BIG_WIDTH  700
#define BIG_HEIGHT 500

/* A mask and a flatfield of three pieces each. */
static void know_big_arrays(struct fixture *fixture)
{
    struct sluice_series *series = fixture->series;
    const size_t pixels = (size_t)BIG_WIDTH * BIG_HEIGHT;
    series->width = BIG_WIDTH;
    series->height = BIG_HEIGHT;
    series->channels[0].pixel_mask = malloc(pixels * sizeof(uint32_t));
    series->channels[0].flatfield = malloc(pixels * sizeof(float));
    assert_true(series->channels[0].pixel_mask != NULL && series->channels[0].flatfield != NULL);
    for (size_t i = 0; i < pixels; i++) {
        series->channels[0].pixel_mask[i] = (uint32_t)(i * 7);
        series->channels[0].flatfield[i] = (float)i / 3;
    }
}

static void assert_same(hid_t file, const char *path, hid_t type, const void *values, size_t bytes)
{
    void *found = malloc(bytes);
    hid_t dataset = H5Dopen2(file, path, H5P_DEFAULT);
    assert_non_null(found);
    assert_int_equal(H5Dget_storage_size(dataset), bytes);
    assert_true(H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, found) >= 0);
    assert_memory_equal(found, values, bytes);
    H5Dclose(dataset);
    free(found);
}

static void big_arrays_are_written_in_pieces_and_whole(void **state)
{
    struct fixture *fixture = *state;
    struct sluice_master_job *job;
    struct sluice_error error = {0};
    int steps = 0;
    enum sluice_status status;
    know_big_arrays(fixture);
    assert_int_equal(sluice_master_begin(&fixture->input, &job, &error), SLUICE_OK);
    do {
        assert_int_equal(count_files(fixture, "run_master.h5"), steps >= 3 + 6 + 1);
        assert_int_equal(count_files(fixture, "run.nxs"), 0);
        status = sluice_master_step(job, &error);
        steps++;
    } while (status == SLUICE_AGAIN);
    assert_int_equal(status, SLUICE_OK);
    assert_int_equal(steps, 2 * (3 + 6 + 1));
    sluice_master_end(job);
    for (int nxs = 0; nxs < 2; nxs++) {
        hid_t file = open_master(fixture, nxs != 0);
        const struct sluice_channel *channel = &fixture->series->channels[0];
        const size_t bytes = (size_t)BIG_WIDTH * BIG_HEIGHT * 4;
        assert_same(file, DETECTOR "/pixel_mask", H5T_NATIVE_UINT32, channel->pixel_mask, bytes);
        assert_same(file, DETECTOR "/flatfield", H5T_NATIVE_FLOAT, channel->flatfield, bytes);
        H5Fclose(file);
    }
}

static void what_is_left_off_halfway_leaves_the_old_master_and_nothing_else(void **state)
{
    struct fixture *fixture = *state;
    struct sluice_error error = {0};
    write_masters(fixture);
    know_big_arrays(fixture);
    for (int steps = 0; steps < 10; steps++) {
        struct sluice_master_job *job;
        assert_int_equal(sluice_master_begin(&fixture->input, &job, &error), SLUICE_OK);
        for (int i = 0; i < steps; i++)
            assert_int_equal(sluice_master_step(job, &error), SLUICE_AGAIN);
        sluice_master_end(job);
        assert_int_equal(count_files(fixture, ""), 2 + 2); /* . and .. */
    }
    hid_t file = open_master(fixture, false);
    const hsize_t old[2] = {HEIGHT, WIDTH};
    assert_shape(file, DETECTOR "/pixel_mask", 2, old, old);
    H5Fclose(file);
}

static void a_master_that_is_replaced_is_given_back_aside(void **state)
{
    struct fixture *fixture = *state;
    add_data_file(fixture, 0, 2);
    write_masters(fixture);
    /* These two alone are looked for: what tests before this one replaced may be open still. */
    const struct stat old[2] = {info_of(fixture, "run_master.h5"), info_of(fixture, "run.nxs")};
    held = 0;
    write_masters(fixture);
    assert_int_equal(held, 2); /* so that no rename gave blocks back */
    for (int ms = 0; descriptors_of(&old[0]) + descriptors_of(&old[1]) > 0 && ms < 10000; ms++)
        usleep(1000);
    assert_int_equal(descriptors_of(&old[0]) + descriptors_of(&old[1]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(all_files_read_as_one_dataset_in_both_files),
        TEST(rows_between_files_read_as_no_data),
        TEST(a_link_keeps_the_number_of_its_file),
        TEST(a_growing_file_is_mapped_without_limit),
        TEST(a_set_without_images_can_be_opened),
        TEST(the_module_lies_where_the_beam_centre_says),
        TEST(a_beam_through_the_corner_gives_a_unit_vector_all_the_same),
        TEST(the_axis_that_turns_carries_the_sample),
        TEST(an_axis_longer_than_a_piece_is_whole),
        TEST(configured_axes_stand_on_each_other_in_their_order),
        TEST(the_sample_stands_on_the_last_axis_of_the_chain_that_turns),
        TEST(big_arrays_are_written_in_pieces_and_whole),
        TEST(what_is_left_off_halfway_leaves_the_old_master_and_nothing_else),
        TEST(axis_names_from_outside_cannot_break_the_file),
        TEST(a_finished_master_cannot_be_written_to),
        TEST(the_group_is_set_and_an_unknown_one_only_warned_of),
        TEST(a_full_disk_leaves_the_old_master_and_nothing_else),
        TEST(a_missing_directory_is_an_error_that_names_it),
        TEST(what_a_dead_process_left_is_no_obstacle),
        TEST(only_files_of_our_own_are_replaced),
        TEST(a_master_that_is_replaced_is_given_back_aside),
        TEST(a_path_that_is_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
