/* SPDX-License-Identifier: Apache-2.0
 *
 * See the header. Reading back goes through HDF5's plain calls, none of ours. */
#include "support.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "writer/h5/h5.h"

int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    if (fixture == NULL || sluice_h5_init(NULL) != SLUICE_OK)
        return -1;
    snprintf(fixture->directory, sizeof fixture->directory, "/tmp/sluice-test-XXXXXX");
    if (mkdtemp(fixture->directory) == NULL || (fixture->series = sluice_series_create()) == NULL)
        return -1;
    fixture->series->width = WIDTH;
    fixture->series->height = HEIGHT;
    fixture->series->dtype = SLUICE_U16;
    fixture->series->channel_count = 1;
    fixture->metadata.rotation_axis = "";
    fixture->input = (struct sluice_master_input){
        .series = fixture->series,
        .metadata = &fixture->metadata,
        .directory = fixture->directory,
        .name = "run",
        .dataset = "data",
        .dtype = SLUICE_U16,
        .files = fixture->files,
        .state = SLUICE_MASTER_DONE,
        .open_real_ns = INT64_C(1700000000) * 1000000000, /* 2023-11-14T22:13:20Z */
        .end_real_ns = INT64_C(1700000060) * 1000000000,
        .mode = 0640,
        .group = "",
    };
    *state = fixture;
    return 0;
}

static void remove_directory(const char *directory)
{
    DIR *stream = opendir(directory);
    for (struct dirent *entry; stream != NULL && (entry = readdir(stream)) != NULL;) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        if (unlink(path) != 0)
            rmdir(path);
    }
    if (stream != NULL)
        closedir(stream);
    rmdir(directory);
}

int tear_down(void **state)
{
    struct fixture *fixture = *state;
    sluice_series_destroy(fixture->series);
    remove_directory(fixture->directory);
    free(fixture);
    return 0;
}

void know_everything(struct sluice_series *series)
{
    series->series_id = 8123456789;
    series->number_of_images = 4;
    series->pixel_size_x = 75e-6;
    series->pixel_size_y = 76e-6;
    series->beam_center_x = 2.5;
    series->beam_center_y = 1.5;
    series->detector_translation[0] = .1;
    series->detector_translation[1] = .3;
    series->detector_translation[2] = -.25;
    series->count_time = .009;
    series->frame_time = .01;
    series->sensor_thickness = 450e-6;
    series->incident_energy = 12400;
    series->incident_wavelength = .9999;
    series->has_saturation_value = true;
    series->saturation_value = 65000;
    series->bit_depth_readout = 12;
    series->flatfield_applied = 1;
    series->pixel_mask_applied = 0;
    series->countrate_correction_applied = 1;
    series->virtual_pixel_interpolation_applied = 0;
    snprintf(series->unique_id, sizeof series->unique_id, "01H-unique");
    snprintf(series->arm_date, sizeof series->arm_date, "2024-02-29T23:59:58.5+01:00");
    snprintf(series->series_date, sizeof series->series_date, "2024-02-29T23:59:59.990+01:00");
    snprintf(series->detector_description, SLUICE_TEXT_BYTES, "Detector 500K");
    snprintf(series->detector_serial_number, SLUICE_TEXT_BYTES, "E-02-0123");
    snprintf(series->sensor_material, SLUICE_TEXT_BYTES, "CdTe");
    series->channels[0].threshold_energy = 6200;
    series->channels[0].pixel_mask = calloc(PIXELS, sizeof(uint32_t));
    series->channels[0].flatfield = calloc(PIXELS, sizeof(float));
    series->countrate_table = calloc(6, sizeof(uint32_t));
    series->countrate_table_count = 6;
    series->start_message = strdup("{\"type\":\"start\"}");
    for (uint32_t i = 0; i < PIXELS; i++) {
        series->channels[0].pixel_mask[i] = i << 27;
        series->channels[0].flatfield[i] = .5f + (float)i;
    }
    for (uint32_t i = 0; i < 6; i++)
        series->countrate_table[i] = 11 * i;
    series->axis_count = 1;
    snprintf(series->axes[0].name, SLUICE_NAME_BYTES, "omega");
    series->axes[0].start = 10;
    series->axes[0].increment = .5;
}

void add_data_file(struct fixture *fixture, uint64_t first, uint64_t rows)
{
    size_t index = fixture->input.file_count++;
    uint16_t pixels[16][HEIGHT][WIDTH];
    assert_true(rows <= 16);
    for (uint64_t row = 0; row < rows; row++) {
        for (int i = 0; i < (int)PIXELS; i++)
            pixels[row][i / WIDTH][i % WIDTH] = (uint16_t)(100 * (first + row) + (uint64_t)i);
    }
    snprintf(fixture->paths[index], sizeof fixture->paths[index], "%s/run_data_%06zu.h5",
             fixture->input.directory, index + 1);
    fixture->files[index] =
        (struct sluice_master_file){.path = fixture->paths[index], .rows = rows};

    hsize_t shape[3] = {rows, HEIGHT, WIDTH};
    char path[128];
    snprintf(path, sizeof path, "/entry/data/%s", fixture->input.dataset);
    hid_t file = H5Fcreate(fixture->paths[index], H5F_ACC_EXCL, H5P_DEFAULT, H5P_DEFAULT);
    hid_t links = H5Pcreate(H5P_LINK_CREATE);
    hid_t space = H5Screate_simple(3, shape, NULL);
    assert_true(H5Pset_create_intermediate_group(links, 1) >= 0);
    hid_t dataset = H5Dcreate2(file, path, H5T_STD_U16LE, space, links, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Dwrite(dataset, H5T_NATIVE_UINT16, H5S_ALL, H5S_ALL, H5P_DEFAULT, pixels) >= 0);
    H5Dclose(dataset);
    H5Sclose(space);
    H5Pclose(links);
    assert_true(H5Fclose(file) >= 0);
}

void write_masters(struct fixture *fixture)
{
    struct sluice_error error = {.status = SLUICE_OK};
    if (sluice_master_write(&fixture->input, &error) != SLUICE_OK)
        fail_msg("%s", error.message);
}

hid_t open_master(const struct fixture *fixture, bool nxs)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s%s", fixture->directory, fixture->input.name,
             nxs ? ".nxs" : "_master.h5");
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(file >= 0);
    return file;
}

int count_files(const struct fixture *fixture, const char *end)
{
    int count = 0;
    DIR *stream = opendir(fixture->directory);
    assert_non_null(stream);
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        size_t bytes = strlen(entry->d_name), wanted = strlen(end);
        count += bytes >= wanted && strcmp(entry->d_name + bytes - wanted, end) == 0;
    }
    closedir(stream);
    return count;
}

bool is_there(hid_t file, const char *path)
{
    char part[256];
    for (size_t i = 1; i <= strlen(path); i++) {
        if (path[i] == '/' || path[i] == '\0') {
            snprintf(part, sizeof part, "%.*s", (int)i, path);
            if (H5Lexists(file, part, H5P_DEFAULT) <= 0)
                return false;
        }
    }
    return true;
}

/* Fixed length, ASCII, NUL-terminated, strlen + 1. */
static void assert_text_type(hid_t type, const char *text)
{
    assert_int_equal(H5Tget_class(type), H5T_STRING);
    assert_int_equal(H5Tis_variable_str(type), 0);
    assert_int_equal(H5Tget_strpad(type), H5T_STR_NULLTERM);
    assert_int_equal(H5Tget_cset(type), H5T_CSET_ASCII);
    assert_int_equal(H5Tget_size(type), strlen(text) + 1);
}

void assert_text(hid_t file, const char *path, const char *text)
{
    char buffer[1024];
    if (!is_there(file, path))
        fail_msg("%s is missing", path);
    hid_t dataset = H5Dopen2(file, path, H5P_DEFAULT);
    hid_t type = H5Dget_type(dataset);
    assert_true(H5Tget_size(type) <= sizeof buffer);
    assert_true(H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, buffer) >= 0);
    assert_string_equal(buffer, text);
    assert_text_type(type, text);
    H5Tclose(type);
    H5Dclose(dataset);
}

void assert_attribute_text(hid_t file, const char *path, const char *name, const char *text)
{
    char buffer[1024];
    if (H5Aexists_by_name(file, path, name, H5P_DEFAULT) <= 0)
        fail_msg("%s@%s is missing", path, name);
    hid_t attribute = H5Aopen_by_name(file, path, name, H5P_DEFAULT, H5P_DEFAULT);
    hid_t type = H5Aget_type(attribute);
    assert_true(H5Tget_size(type) <= sizeof buffer);
    assert_true(H5Aread(attribute, type, buffer) >= 0);
    assert_string_equal(buffer, text);
    assert_text_type(type, text);
    H5Tclose(type);
    H5Aclose(attribute);
}

void assert_values(hid_t file, const char *path, hid_t type, const char *unit, size_t count,
                   const double *values)
{
    double *found = calloc(count + 1, sizeof *found);
    assert_non_null(found);
    if (!is_there(file, path))
        fail_msg("%s is missing", path);
    hid_t dataset = H5Dopen2(file, path, H5P_DEFAULT);
    hid_t file_type = H5Dget_type(dataset);
    hid_t space = H5Dget_space(dataset);
    assert_true(H5Tequal(file_type, type) > 0);
    assert_int_equal(H5Sget_simple_extent_npoints(space), count);
    assert_true(H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, found) >= 0);
    for (size_t i = 0; i < count; i++) {
        if (!(fabs(found[i] - values[i]) <= 1e-12 * fabs(values[i])))
            fail_msg("%s[%zu] is %.17g, not %.17g", path, i, found[i], values[i]);
    }
    free(found);
    H5Sclose(space);
    H5Tclose(file_type);
    H5Dclose(dataset);
    if (unit != NULL)
        assert_attribute_text(file, path, "units", unit);
}

void assert_value(hid_t file, const char *path, hid_t type, const char *unit, double value)
{
    hsize_t none[1] = {0};
    assert_shape(file, path, 0, none, none);
    assert_values(file, path, type, unit, 1, &value);
}

void assert_vector(hid_t file, const char *path, double x, double y, double z)
{
    double found[3];
    const double wanted[3] = {x, y, z};
    hid_t attribute = H5Aopen_by_name(file, path, "vector", H5P_DEFAULT, H5P_DEFAULT);
    assert_true(attribute >= 0);
    assert_true(H5Aread(attribute, H5T_NATIVE_DOUBLE, found) >= 0);
    H5Aclose(attribute);
    for (int i = 0; i < 3; i++)
        assert_true(fabs(found[i] - wanted[i]) < 1e-12);
}

void assert_shape(hid_t file, const char *path, int rank, const hsize_t *shape,
                  const hsize_t *maximum)
{
    hsize_t found[4], found_maximum[4];
    if (!is_there(file, path))
        fail_msg("%s is missing", path);
    hid_t dataset = H5Dopen2(file, path, H5P_DEFAULT);
    hid_t space = H5Dget_space(dataset);
    assert_int_equal(H5Sget_simple_extent_ndims(space), rank);
    H5Sget_simple_extent_dims(space, found, found_maximum);
    for (int i = 0; i < rank; i++) {
        assert_int_equal(found[i], shape[i]);
        assert_true(found_maximum[i] == maximum[i]);
    }
    H5Sclose(space);
    H5Dclose(dataset);
}
