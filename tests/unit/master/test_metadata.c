/* SPDX-License-Identifier: Apache-2.0
 *
 * What a start message says is in both files under its path, in its type and unit; what it does not
 * say is left out, but for what programs insist on. */
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "writer/h5/h5.h"

static void assert_detector(hid_t file)
{
    const hid_t f8 = H5T_IEEE_F64LE, i4 = H5T_STD_I32LE, i8 = H5T_STD_I64LE, u1 = H5T_STD_U8LE;
    assert_value(file, "/entry/instrument/beam/incident_wavelength", f8, "angstrom", .9999);
    assert_value(file, "/entry/instrument/beam/incident_energy", f8, "eV", 12400);
    assert_text(file, DETECTOR "/description", "Detector 500K");
    assert_text(file, DETECTOR "/serial_number", "E-02-0123");
    assert_text(file, DETECTOR "/type", "HPC");
    assert_value(file, DETECTOR "/x_pixel_size", f8, "m", 75e-6);
    assert_value(file, DETECTOR "/y_pixel_size", f8, "m", 76e-6);
    assert_value(file, DETECTOR "/beam_center_x", f8, "pixel", 2.5);
    assert_value(file, DETECTOR "/beam_center_y", f8, "pixel", 1.5);
    assert_value(file, DETECTOR "/distance", f8, "m", .25);
    assert_value(file, DETECTOR "/detector_distance", f8, "m", .25);
    assert_value(file, DETECTOR "/count_time", f8, "s", .009);
    assert_value(file, DETECTOR "/frame_time", f8, "s", .01);
    assert_value(file, DETECTOR "/detector_readout_time", f8, "s", .01 - .009);
    assert_value(file, DETECTOR "/bit_depth_image", i4, NULL, 16);
    assert_value(file, DETECTOR "/bit_depth_readout", i4, NULL, 12);
    assert_value(file, DETECTOR "/saturation_value", i8, "counts", 65000);
    assert_value(file, DETECTOR "/underload_value", i8, "counts", 0);
    assert_text(file, DETECTOR "/sensor_material", "CdTe");
    assert_value(file, DETECTOR "/sensor_thickness", f8, "m", 450e-6);
    assert_value(file, DETECTOR "/threshold_energy", f8, "eV", 6200);
    assert_value(file, DETECTOR "/flatfield_applied", u1, NULL, 1);
    assert_value(file, DETECTOR "/pixel_mask_applied", u1, NULL, 0);
    assert_value(file, DETECTOR "/countrate_correction_applied", u1, NULL, 1);
    assert_value(file, DETECTOR "/virtual_pixel_interpolation_applied", u1, NULL, 0);
    assert_value(file, SPECIFIC "/nimages", i4, NULL, 3);
    assert_value(file, SPECIFIC "/ntrigger", i4, NULL, 1);
    assert_value(file, SPECIFIC "/x_pixels_in_detector", i4, NULL, WIDTH);
    assert_value(file, SPECIFIC "/y_pixels_in_detector", i4, NULL, HEIGHT);
    assert_value(file, SPECIFIC "/series_id", H5T_STD_U64LE, NULL, 8123456789.);
    assert_value(file, SPECIFIC "/number_of_images", H5T_STD_U64LE, NULL, 4);
    assert_text(file, SPECIFIC "/series_unique_id", "01H-unique");
    assert_text(file, SPECIFIC "/series_date", "2024-02-29T23:59:59.990+01:00");
    assert_text(file, SPECIFIC "/start_message", "{\"type\":\"start\"}");
}

static void assert_entry(hid_t file, const char *file_name)
{
    assert_attribute_text(file, "/", "NX_class", "NXroot");
    assert_attribute_text(file, "/", "default", "entry");
    assert_attribute_text(file, "/", "file_name", file_name);
    assert_attribute_text(file, "/", "sluice_state", "done");
    assert_attribute_text(file, "/entry", "NX_class", "NXentry");
    assert_attribute_text(file, "/entry", "default", "data");
    assert_attribute_text(file, "/entry", "version", "1.0");
    assert_text(file, "/entry/definition", "NXmx");
    assert_text(file, "/entry/start_time", "2024-02-29T23:59:59.990+01:00");
    assert_text(file, "/entry/end_time_estimated", "2024-03-01T00:00:00.030000+01:00");
    assert_text(file, "/entry/end_time", "2023-11-14T22:14:20.000000Z");
    assert_text(file, "/entry/instrument/name", "Beamline 1");
    assert_text(file, "/entry/source/name", "Ring");
    assert_attribute_text(file, "/entry/source/name", "short_name", "R");
    assert_text(file, "/entry/sample/name", "lysozyme");
}

static void every_value_of_a_start_message_is_in_both_files(void **state)
{
    struct fixture *fixture = *state;
    know_everything(fixture->series);
    fixture->metadata.instrument_name = "Beamline 1";
    fixture->metadata.source_name = "Ring";
    fixture->metadata.source_short_name = "R";
    fixture->metadata.sample_name = "lysozyme";
    add_data_file(fixture, 0, 3);
    write_masters(fixture);
    for (int nxs = 0; nxs < 2; nxs++) {
        double mask[PIXELS], flatfield[PIXELS];
        for (uint32_t i = 0; i < PIXELS; i++) {
            mask[i] = i << 27;
            flatfield[i] = .5 + i;
        }
        hid_t file = open_master(fixture, nxs);
        assert_entry(file, nxs ? "run.nxs" : "run_master.h5");
        assert_detector(file);
        assert_values(file, DETECTOR "/pixel_mask", H5T_STD_U32LE, NULL, PIXELS, mask);
        assert_values(file, SPECIFIC "/pixel_mask", H5T_STD_U32LE, NULL, PIXELS, mask);
        assert_values(file, DETECTOR "/flatfield", H5T_IEEE_F32LE, NULL, PIXELS, flatfield);
        assert_values(file, DETECTOR "/countrate_correction_lookup_table", H5T_STD_U32LE, NULL, 6,
                      (const double[]){0, 11, 22, 33, 44, 55});
        H5Fclose(file);
    }
}

static void what_is_not_known_is_left_out(void **state)
{
    struct fixture *fixture = *state;
    static const char *const absent[] = {
        "/entry/end_time_estimated",
        "/entry/instrument/name",
        "/entry/source/name",
        "/entry/sample/name",
        "/entry/instrument/beam/incident_wavelength",
        "/entry/instrument/beam/incident_energy",
        DETECTOR "/description",
        DETECTOR "/x_pixel_size",
        DETECTOR "/beam_center_x",
        DETECTOR "/distance",
        DETECTOR "/detector_distance",
        DETECTOR "/count_time",
        DETECTOR "/frame_time",
        DETECTOR "/detector_readout_time",
        DETECTOR "/saturation_value",
        DETECTOR "/sensor_material",
        DETECTOR "/sensor_thickness",
        DETECTOR "/threshold_energy",
        DETECTOR "/flatfield_applied",
        DETECTOR "/pixel_mask_applied",
        DETECTOR "/flatfield",
        DETECTOR "/countrate_correction_lookup_table",
        SPECIFIC "/number_of_images",
        SPECIFIC "/series_unique_id",
        SPECIFIC "/series_date",
        SPECIFIC "/start_message",
        DETECTOR "/transformations/translation",
        MODULE "/module_offset",
        MODULE "/fast_pixel_direction",
    };
    add_data_file(fixture, 0, 1);
    write_masters(fixture);
    hid_t file = open_master(fixture, false);
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++) {
        if (is_there(file, absent[i]))
            fail_msg("%s is there", absent[i]);
    }
    assert_text(file, "/entry/start_time", "2023-11-14T22:13:20.000000Z");
    assert_text(file, DETECTOR "/depends_on", ".");
    assert_text(file, "/entry/sample/depends_on", ".");
    assert_value(file, DETECTOR "/bit_depth_readout", H5T_STD_I32LE, NULL, 16);
    H5Fclose(file);
}

static void a_mask_that_did_not_come_is_stored_as_zeros_in_place(void **state)
{
    struct fixture *fixture = *state;
    const double zeros[PIXELS] = {0};
    add_data_file(fixture, 0, 1);
    write_masters(fixture);
    hid_t file = open_master(fixture, false);
    hid_t mask = H5Dopen2(file, DETECTOR "/pixel_mask", H5P_DEFAULT);
    hid_t creation = H5Dget_create_plist(mask);
    assert_int_equal(H5Pget_layout(creation), H5D_CONTIGUOUS);
    assert_int_equal(H5Dget_storage_size(mask), PIXELS * 4);
    assert_true(H5Dget_offset(mask) != HADDR_UNDEF);
    H5Pclose(creation);
    H5Dclose(mask);
    assert_values(file, DETECTOR "/pixel_mask", H5T_STD_U32LE, NULL, PIXELS, zeros);
    H5Fclose(file);
}

static void pixels_of_32_bits_are_read_out_with_32_bits(void **state)
{
    struct fixture *fixture = *state;
    fixture->series->bit_depth_readout = 16;
    fixture->input.dtype = SLUICE_U32;
    write_masters(fixture);
    hid_t file = open_master(fixture, false);
    assert_value(file, DETECTOR "/bit_depth_readout", H5T_STD_I32LE, NULL, 32);
    assert_value(file, DETECTOR "/bit_depth_image", H5T_STD_I32LE, NULL, 32);
    H5Fclose(file);
}

static void text_outside_ascii_is_escaped_and_json_stays_json(void **state)
{
    struct fixture *fixture = *state;
    fixture->metadata.sample_name = "\xc2\xb5-probe \xe2\x82\xac \xf0\x9f\x94\xac \xff\xe2\x82";
    fixture->metadata.source_name = "ring";
    fixture->metadata.source_short_name = "\xc3\xa9";
    fixture->series->start_message = strdup("{\"a\":\"\xc3\xa9\"}");
    write_masters(fixture);
    hid_t file = open_master(fixture, false);
    assert_text(file, "/entry/sample/name",
                "\\u00b5-probe \\u20ac \\ud83d\\udd2c \\ufffd\\ufffd\\ufffd");
    assert_attribute_text(file, "/entry/source/name", "short_name", "\\u00e9");
    assert_text(file, SPECIFIC "/start_message", "{\"a\":\"\\u00e9\"}");
    H5Fclose(file);
}

static void each_channel_has_masters_with_its_own_mask_and_threshold(void **state)
{
    struct fixture *fixture = *state;
    double mask[PIXELS];
    know_everything(fixture->series);
    fixture->series->channel_count = 3;
    struct sluice_channel *second = &fixture->series->channels[1];
    second->threshold_energy = 7000;
    second->pixel_mask = calloc(PIXELS, sizeof *second->pixel_mask);
    for (uint32_t i = 0; i < PIXELS; i++)
        mask[i] = second->pixel_mask[i] = 1000 + i;
    for (uint32_t channel = 0; channel < 3; channel++) {
        static const char *const names[] = {"threshold_1", "threshold_2", "difference"};
        fixture->input.channel_index = channel;
        fixture->input.dataset = names[channel];
        write_masters(fixture);
    }
    assert_int_equal(count_files(fixture, "run_master.h5"), 1);
    assert_int_equal(count_files(fixture, "run.nxs"), 1);
    assert_int_equal(count_files(fixture, "run_difference.nxs"), 1);
    fixture->input.name = "run_threshold_2";
    hid_t file = open_master(fixture, false);
    assert_value(file, DETECTOR "/threshold_energy", H5T_IEEE_F64LE, "eV", 7000);
    assert_values(file, DETECTOR "/pixel_mask", H5T_STD_U32LE, NULL, PIXELS, mask);
    H5Fclose(file);
    fixture->input.name = "run_difference";
    file = open_master(fixture, false);
    assert_false(is_there(file, DETECTOR "/threshold_energy"));
    H5Fclose(file);
}

static void names_of_the_start_message_go_before_the_configured_ones(void **state)
{
    struct fixture *fixture = *state;
    know_everything(fixture->series);
    fixture->metadata.sample_name = "configured";
    fixture->metadata.source_name = "configured";
    fixture->metadata.source_short_name = "CFG";
    snprintf(fixture->series->sample_name, SLUICE_TEXT_BYTES, "insulin");
    snprintf(fixture->series->source_name, SLUICE_TEXT_BYTES, "Ring");
    write_masters(fixture);
    hid_t file = open_master(fixture, false);
    assert_text(file, "/entry/sample/name", "insulin");
    assert_text(file, "/entry/source/name", "Ring");
    hid_t source = H5Dopen2(file, "/entry/source/name", H5P_DEFAULT);
    assert_int_equal(H5Aexists(source, "short_name"), 0); /* it is of another source */
    H5Dclose(source);
    H5Fclose(file);
}

static void a_clean_end_has_its_time_and_only_that(void **state)
{
    struct fixture *fixture = *state;
    static const char *const names[] = {"writing", "done", "failed"};
    for (int i = 0; i < 3; i++) {
        fixture->input.state = (enum sluice_master_state)i;
        write_masters(fixture);
        hid_t file = open_master(fixture, true);
        assert_attribute_text(file, "/", "sluice_state", names[i]);
        assert_int_equal(is_there(file, "/entry/end_time"), i == SLUICE_MASTER_DONE);
        H5Fclose(file);
    }
}

static void the_estimated_end_keeps_the_time_zone_it_began_in(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *start, *end;
    } cases[] = {
        {"2023-12-31T23:59:59.25Z", "2024-01-01T00:00:01.750000Z"},
        {"2024-06-01T12:00:00-05:00", "2024-06-01T12:00:02.500000-05:00"},
        {"2024-06-01T12:00:00", "2024-06-01T12:00:02.500000"},
        {"2024-06-01T12:00:00.5+0130", "2024-06-01T12:00:03.000000+0130"},
    };
    fixture->series->number_of_images = 5;
    fixture->series->frame_time = .5;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(fixture->series->arm_date, sizeof fixture->series->arm_date, "%s", cases[i].start);
        write_masters(fixture);
        hid_t file = open_master(fixture, false);
        assert_text(file, "/entry/start_time", cases[i].start);
        assert_text(file, "/entry/end_time_estimated", cases[i].end);
        H5Fclose(file);
    }
}

static void a_date_that_is_not_iso_8601_gives_way_to_one_that_is(void **state)
{
    struct fixture *fixture = *state;
    static const char *const wrong[] = {
        "yesterday",           "2024-06-01 12:00:00",      "2024-06-01T12:00",
        "2024-06-01T12:00:0x", "2024-06-01T12:00:00.",     "2024-06-01T12:00:00+1",
        "24-06-01T12:00:00",   "2024-06-01T12:00:00ZZ",    "2024-06-01T12:00:00 Z",
        "1717236000",          "2024-06-01T12:00:00+01:0", "2024-06-01T12:00:00+01:000",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        for (int arm = 0; arm < 2; arm++) {
            struct sluice_series *series = fixture->series;
            snprintf(series->series_date, sizeof series->series_date, "%s", wrong[i]);
            snprintf(series->arm_date, sizeof series->arm_date, "%s",
                     arm != 0 ? "2024-06-01T12:00:00Z" : wrong[i]);
            write_masters(fixture);
            hid_t file = open_master(fixture, false);
            assert_text(file, "/entry/start_time",
                        arm != 0 ? "2024-06-01T12:00:00Z" : "2023-11-14T22:13:20.000000Z");
            assert_false(is_there(file, SPECIFIC "/series_date"));
            H5Fclose(file);
        }
    }
}

static void an_absurd_length_gives_no_estimate(void **state)
{
    struct fixture *fixture = *state;
    know_everything(fixture->series);
    fixture->series->number_of_images = UINT64_MAX;
    fixture->series->frame_time = 1e300;
    write_masters(fixture);
    hid_t file = open_master(fixture, false);
    assert_false(is_there(file, "/entry/end_time_estimated"));
    assert_value(file, SPECIFIC "/nimages", H5T_STD_I32LE, NULL, 0);
    H5Fclose(file);
}

static void ids_that_jump_far_make_no_endless_axes(void **state)
{
    struct fixture *fixture = *state;
    know_everything(fixture->series);
    add_data_file(fixture, 0, 2);
    add_data_file(fixture, 2, 2);
    fixture->files[1].first_row = UINT64_C(1) << 40;
    write_masters(fixture);
    hid_t file = open_master(fixture, true);
    assert_text(file, "/entry/sample/depends_on", ".");
    assert_false(is_there(file, AXES "/omega"));
    H5Fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(every_value_of_a_start_message_is_in_both_files),
        TEST(what_is_not_known_is_left_out),
        TEST(a_mask_that_did_not_come_is_stored_as_zeros_in_place),
        TEST(pixels_of_32_bits_are_read_out_with_32_bits),
        TEST(text_outside_ascii_is_escaped_and_json_stays_json),
        TEST(each_channel_has_masters_with_its_own_mask_and_threshold),
        TEST(names_of_the_start_message_go_before_the_configured_ones),
        TEST(a_clean_end_has_its_time_and_only_that),
        TEST(the_estimated_end_keeps_the_time_zone_it_began_in),
        TEST(a_date_that_is_not_iso_8601_gives_way_to_one_that_is),
        TEST(an_absurd_length_gives_no_estimate),
        TEST(ids_that_jump_far_make_no_endless_axes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
