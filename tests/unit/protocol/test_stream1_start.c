/* SPDX-License-Identifier: Apache-2.0
 *
 * Headers of Stream V1: every field in its place, the three header details, the appendix, and what
 * is left out because it cannot be read. */
#include "cmocka_all.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "ingest/protocol/stream1.h"

#define WIDTH  4
#define HEIGHT 3

static const char config[] =
    "{\"nimages\":10,\"ntrigger\":3,\"x_pixels_in_detector\":4,\"y_pixels_in_detector\":3,"
    "\"bit_depth_image\":16,\"bit_depth_readout\":12,\"x_pixel_size\":7.5e-05,"
    "\"y_pixel_size\":7.6e-05,\"wavelength\":0.9795,\"photon_energy\":12658.0,"
    "\"count_time\":0.0099,\"frame_time\":0.01,\"detector_readout_time\":1e-05,"
    "\"beam_center_x\":1533.5,\"beam_center_y\":1657.25,\"detector_distance\":0.2,"
    "\"sensor_thickness\":0.00045,\"sensor_material\":\"Si\",\"description\":\"Dectris Eiger 9M\","
    "\"detector_number\":\"E-18-0102\",\"threshold_energy\":6329.0,"
    "\"data_collection_date\":\"2026-11-22T08:00:00.5\","
    "\"countrate_correction_count_cutoff\":4231,\"flatfield_correction_applied\":true,"
    "\"pixel_mask_applied\":false,\"countrate_correction_applied\":1,"
    "\"virtual_pixel_correction_applied\":\"true\",\"omega_start\":90,\"omega_increment\":0.1,"
    "\"kappa_start\":1.5,\"two_theta_increment\":-0.25,\"trigger_mode\":\"ints\","
    "\"software_version\":\"1.8.0\",\"name\":\"\u00c4iger\"}";

static struct sluice_parts parts;
static struct sluice_series *series;
static struct sluice_error error;

static struct sluice_span span_of(const char *string)
{
    return (struct sluice_span){(const uint8_t *)string, strlen(string)};
}

static void add(const void *data, size_t bytes)
{
    parts.part[parts.count++] = (struct sluice_span){data, bytes};
}

static void begin(const char *detail)
{
    static char first[200];
    snprintf(first, sizeof first,
             "{\"htype\":\"dheader-1.0\",\"series\":31,\"header_detail\":\"%s\"}", detail);
    memset(&parts, 0, sizeof parts);
    add(first, strlen(first));
}

static void add_text(const char *text)
{
    add(text, strlen(text));
}

static void take(void)
{
    sluice_error_clear(&error);
    sluice_series_destroy(series);
    series = NULL;
    assert_int_equal(sluice_stream1_start(&parts, &series, &error), SLUICE_OK);
    assert_non_null(series);
}

static int teardown(void **state)
{
    (void)state;
    sluice_series_destroy(series);
    series = NULL;
    return 0;
}

/* The series of a basic header with this configuration. */
static void take_config(const char *text)
{
    begin("basic");
    add_text(text);
    take();
}

static json_t *start_message(void)
{
    json_t *json = json_loads(series->start_message, 0, NULL);
    assert_non_null(json);
    for (const char *at = series->start_message; *at != '\0'; at++)
        assert_true((unsigned char)*at < 0x80);
    return json;
}

static void every_key_of_the_configuration_has_its_place(void **state)
{
    (void)state;
    take_config(config);
    assert_int_equal(series->series_id, 31);
    assert_string_equal(series->unique_id, "");
    assert_int_equal(series->channel_count, 1);
    assert_string_equal(series->channels[0].name, "data");
    assert_int_equal(series->number_of_images, 30);
    assert_int_equal(series->width, 4);
    assert_int_equal(series->height, 3);
    assert_int_equal(series->dtype, SLUICE_U16);
    assert_int_equal(series->bit_depth_readout, 12);
    assert_true(series->pixel_size_x == 7.5e-05 && series->pixel_size_y == 7.6e-05);
    assert_true(series->incident_wavelength == 0.9795 && series->incident_energy == 12658);
    assert_true(series->count_time == 0.0099 && series->frame_time == 0.01);
    assert_true(series->detector_readout_time == 1e-05);
    assert_true(series->beam_center_x == 1533.5 && series->beam_center_y == 1657.25);
    assert_true(series->detector_translation[2] == 0.2 && isnan(series->detector_translation[0]));
    assert_true(series->sensor_thickness == 0.00045);
    assert_string_equal(series->sensor_material, "Si");
    assert_string_equal(series->detector_description, "Dectris Eiger 9M");
    assert_string_equal(series->detector_serial_number, "E-18-0102");
    assert_string_equal(series->arm_date, "2026-11-22T08:00:00.5");
    assert_true(series->channels[0].threshold_energy == 6329);
    assert_true(series->has_saturation_value && series->saturation_value == 4231);
    assert_int_equal(series->flatfield_applied, 1);
    assert_int_equal(series->pixel_mask_applied, 0);
    assert_int_equal(series->countrate_correction_applied, 1);
    assert_int_equal(series->virtual_pixel_interpolation_applied, 1);
    assert_int_equal(series->axis_count, 3); /* those that are named */
    assert_string_equal(series->axes[0].name, "kappa");
    assert_true(series->axes[0].start == 1.5 && isnan(series->axes[0].increment));
    assert_string_equal(series->axes[1].name, "omega");
    assert_true(series->axes[1].start == 90 && series->axes[1].increment == 0.1);
    assert_string_equal(series->axes[2].name, "two_theta");
    assert_true(series->axes[2].increment == -0.25);
    assert_null(series->channels[0].pixel_mask);
    assert_string_equal(series->sample_name, "");
}

static void the_start_message_has_every_key_as_it_came(void **state)
{
    (void)state;
    take_config(config);
    json_t *json = start_message();
    json_t *sent = json_loads(config, 0, NULL);
    const char *key;
    json_t *value;
    assert_string_equal(json_string_value(json_object_get(json, "htype")), "dheader-1.0");
    assert_int_equal(json_integer_value(json_object_get(json, "series")), 31);
    assert_int_equal(json_object_size(json), json_object_size(sent) + 3);
    json_object_foreach(sent, key, value)
        assert_true(json_equal(json_object_get(json, key), value));
    json_decref(json);
    json_decref(sent);
}

static void numbers_may_come_as_texts(void **state)
{
    (void)state;
    take_config("{\"nimages\":\"10\",\"ntrigger\":\"2\",\"x_pixels_in_detector\":\"4\","
                "\"y_pixels_in_detector\":\"3\",\"bit_depth_image\":\"32\",\"wavelength\":\"1.5\","
                "\"countrate_correction_count_cutoff\":\"77\",\"omega_increment\":\"0.5\","
                "\"pixel_mask_applied\":\"1\",\"flatfield_correction_applied\":\"false\"}");
    assert_int_equal(series->number_of_images, 20);
    assert_int_equal(series->width, 4);
    assert_int_equal(series->dtype, SLUICE_U32);
    assert_true(series->incident_wavelength == 1.5);
    assert_int_equal(series->saturation_value, 77);
    assert_true(series->axes[0].increment == 0.5);
    assert_int_equal(series->pixel_mask_applied, 1);
    assert_int_equal(series->flatfield_applied, 0);
}

static void a_number_too_large_for_jansson_costs_no_other(void **state)
{
    (void)state;
    take_config("{\"nimages\":10,\"ntrigger\":2,\"x_pixels_in_detector\":3,"
                "\"y_pixels_in_detector\":2,\"bit_depth_image\":16,\"mark\":18446744073709551615}");
    assert_int_equal(series->number_of_images, 20);
    assert_int_equal(series->width, 3);
    assert_int_equal(series->dtype, SLUICE_U16);
    assert_non_null(strstr(series->start_message, "\"mark\":1.8446744073709552e19"));
}

static void with_detail_none_the_first_image_says_the_rest(void **state)
{
    (void)state;
    begin("none");
    take();
    assert_int_equal(series->series_id, 31);
    assert_int_equal(series->width, 0);
    assert_int_equal(series->number_of_images, 0);
    assert_int_equal(series->channel_count, 1);
    assert_true(isnan(series->count_time) && !series->has_saturation_value);
    assert_int_equal(series->pixel_mask_applied, -1);
    begin("none");
    add_text("{\"sample\":\"lysozyme\"}");
    take();
    assert_string_equal(series->sample_name, "lysozyme");
    assert_int_equal(series->width, 0);
}

static void where_it_does_not_say_its_detail_the_parts_do(void **state)
{
    (void)state;
    memset(&parts, 0, sizeof parts);
    add_text("{\"htype\":\"dheader-1.0\",\"series\":31}");
    take();
    assert_int_equal(series->width, 0);
    add_text(config);
    take();
    assert_int_equal(series->width, 4);
}

static float flatfield[WIDTH * HEIGHT], curve[2 * 5];
static uint32_t mask[WIDTH * HEIGHT];

static void begin_all(void)
{
    for (uint32_t i = 0; i < WIDTH * HEIGHT; i++) {
        flatfield[i] = 1 + (float)i / 8;
        mask[i] = i * i;
    }
    for (int i = 0; i < 10; i++)
        curve[i] = (float)i * 1.5f;
    begin("all");
    add_text(config);
    add_text("{\"htype\":\"dflatfield-1.0\",\"shape\":[4,3],\"type\":\"float32\"}");
    add(flatfield, sizeof flatfield);
    add_text("{\"htype\":\"dpixelmask-1.0\",\"shape\":[4,3],\"type\":\"uint32\"}");
    add(mask, sizeof mask);
    add_text("{\"htype\":\"dcountrate_table-1.0\",\"shape\":[2,5],\"type\":\"float32\"}");
    add(curve, sizeof curve);
}

static void assert_all(void)
{
    assert_memory_equal(series->channels[0].flatfield, flatfield, sizeof flatfield);
    assert_memory_equal(series->channels[0].pixel_mask, mask, sizeof mask);
    assert_memory_equal(series->countrate_curve, curve, sizeof curve);
    assert_int_equal(series->countrate_curve_shape[0], 5); /* rows: the shape is [x, y] */
    assert_int_equal(series->countrate_curve_shape[1], 2);
}

static void with_detail_all_come_flatfield_mask_and_table(void **state)
{
    (void)state;
    begin_all();
    assert_int_equal(parts.count, 8);
    take();
    assert_all();
    assert_int_equal(series->number_of_images, 30);
    assert_string_equal(series->sample_name, "");
}

static void the_last_part_may_be_an_appendix(void **state)
{
    (void)state;
    begin_all();
    add_text("{\"sample_name\":\"insulin 3\",\"run\":[1,2],\"source_name\":7,\"source\":\"Ring\"}");
    take();
    assert_all();
    assert_string_equal(series->sample_name, "insulin 3");
    assert_string_equal(series->source_name, "Ring");
    json_t *json = start_message();
    assert_int_equal(
        json_array_size(json_object_get(json_object_get(json, "header_appendix"), "run")), 2);
    json_decref(json);

    begin("basic");
    add_text(config);
    add_text("just words \u00b0");
    take();
    assert_string_equal(series->sample_name, "");
    json = start_message();
    assert_string_equal(json_string_value(json_object_get(json, "header_appendix")),
                        "just words \u00b0");
    json_decref(json);
}

static void an_appendix_that_is_no_text_or_too_long_is_named(void **state)
{
    char *large = calloc(1, SLUICE_STREAM1_APPENDIX_BYTES_MAX + 1);
    (void)state;
    assert_non_null(large);
    begin("none");
    add("\xff\xfe", 2);
    take();
    assert_non_null(
        strstr(series->start_message, "\"header_appendix\":{\"bytes\":2,\"omitted\":true}"));
    begin("none");
    add(large, SLUICE_STREAM1_APPENDIX_BYTES_MAX + 1);
    take();
    assert_non_null(
        strstr(series->start_message, "\"header_appendix\":{\"bytes\":262145,\"omitted\":true}"));
    free(large);
}

static void arrays_that_lie_are_left_out_and_the_rest_kept(void **state)
{
    static const struct {
        int part;
        const char *descriptor;
    } cases[] = {
        {2, "{\"htype\":\"dflatfield-1.0\",\"shape\":[3,4],\"type\":\"float32\"}"},
        {2, "{\"htype\":\"dflatfield-1.0\",\"shape\":[4,3],\"type\":\"uint32\"}"},
        {2, "{\"htype\":\"dflatfield-1.0\",\"shape\":[4,3]}"},
        {2, "{\"htype\":\"dflatfield-1.0\",\"shape\":[4],\"type\":\"float32\"}"},
        {2, "{\"htype\":\"dflatfield-1.0\",\"shape\":[4,4],\"type\":\"float32\"}"},
        {2,
         "{\"htype\":\"dflatfield-1.0\",\"shape\":[4294967296,4294967296],\"type\":\"float32\"}"},
        {2,
         "{\"htype\":\"dflatfield-1.0\",\"shape\":[2147483647,2147483647],\"type\":\"float32\"}"},
        {2, "{\"htype\":\"dflatfield-1.0\",\"shape\":[0,3],\"type\":\"float32\"}"},
        {2, "{\"htype\":\"dsomething-1.0\",\"shape\":[4,3],\"type\":\"float32\"}"},
        {2, "{\"shape\":[4,3],\"type\":\"float32\"}"},
        {2, "{\"htype\":\"a name that is much longer than any that is known to anybody\"}"},
        {2, "not JSON"},
        {2, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin_all();
        parts.part[cases[i].part] = span_of(cases[i].descriptor);
        take();
        assert_null(series->channels[0].flatfield);
        assert_memory_equal(series->channels[0].pixel_mask, mask, sizeof mask);
        assert_non_null(series->countrate_curve);
    }
    begin_all();
    parts.part[3].bytes--;
    take();
    assert_null(series->channels[0].flatfield);
    begin_all();
    parts.part[2] = parts.part[4]; /* a mask twice */
    parts.part[3] = parts.part[5];
    take();
    assert_null(series->channels[0].flatfield);
    assert_memory_equal(series->channels[0].pixel_mask, mask, sizeof mask);
    begin_all();
    parts.part[1] = span_of("{\"nimages\":3}"); /* nothing to hold the sizes against */
    take();
    assert_null(series->channels[0].pixel_mask);
    assert_non_null(series->countrate_curve);
}

static void parts_that_are_missing_are_not_read(void **state)
{
    (void)state;
    for (uint32_t count = 1; count < 8; count++) {
        begin_all();
        parts.count = count;
        take();
        assert_int_equal(series->width, count > 1 ? 4 : 0);
        assert_int_equal(series->channels[0].flatfield != NULL, count >= 4);
        assert_int_equal(series->channels[0].pixel_mask != NULL, count >= 6);
        assert_null(series->countrate_curve);
    }
}

static void what_cannot_be_read_is_left_out(void **state)
{
    static const char *const bad[] = {
        "",
        "[]",
        "17",
        "{\"nimages\":",
        "\xff",
        "null",
        "{} x",
        "{\"a\":1e999}",
        "{\"a\":99999999999999999999}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        take_config(bad[i]);
        assert_int_equal(series->width, 0);
        assert_int_equal(series->number_of_images, 0);
    }
    take_config("{\"nimages\":-1,\"count_time\":\"soon\",\"frame_time\":[1],\"wavelength\":true,"
                "\"description\":7,\"sensor_material\":null,\"omega_start\":{},"
                "\"countrate_correction_count_cutoff\":1.5,\"pixel_mask_applied\":\"maybe\","
                "\"bit_depth_readout\":1000}");
    assert_int_equal(series->number_of_images, 0);
    assert_true(isnan(series->count_time) && isnan(series->frame_time));
    assert_true(isnan(series->incident_wavelength));
    assert_string_equal(series->detector_description, "");
    assert_int_equal(series->axis_count, 0);
    assert_false(series->has_saturation_value);
    assert_int_equal(series->pixel_mask_applied, -1);
    assert_int_equal(series->bit_depth_readout, 0);
    assert_non_null(strstr(series->start_message, "\"count_time\":\"soon\""));
}

static void sizes_that_cannot_be_are_left_to_the_first_image(void **state)
{
    static const char *const bad[] = {
        "\"x_pixels_in_detector\":0,\"y_pixels_in_detector\":3,\"bit_depth_image\":16",
        "\"x_pixels_in_detector\":4,\"y_pixels_in_detector\":3,\"bit_depth_image\":12",
        "\"x_pixels_in_detector\":4,\"y_pixels_in_detector\":3",
        "\"x_pixels_in_detector\":65536,\"y_pixels_in_detector\":65536,\"bit_depth_image\":8",
        "\"x_pixels_in_detector\":9007199254740991,\"y_pixels_in_detector\":9007199254740991,"
        "\"bit_depth_image\":8",
        "\"x_pixels_in_detector\":4.5,\"y_pixels_in_detector\":3,\"bit_depth_image\":8",
    };
    char text[300];
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(text, sizeof text, "{\"nimages\":5,%s}", bad[i]);
        take_config(text);
        assert_int_equal(series->width, 0);
        assert_int_equal(series->height, 0);
        assert_int_equal(series->number_of_images, 5);
    }
    take_config("{\"nimages\":9007199254740991,\"ntrigger\":9007199254740991}");
    assert_int_equal(series->number_of_images, 0);
}

static void long_texts_are_cut_at_a_character(void **state)
{
    char text[2000] = "{\"description\":\"";
    (void)state;
    for (int i = 0; i < 200; i++)
        strcat(text, "\u20ac");
    strcat(text, "\"}");
    take_config(text);
    assert_int_equal(strlen(series->detector_description), 255 / 3 * 3);
}

static void a_configuration_that_is_too_long_is_left_out(void **state)
{
    const size_t bytes = SLUICE_STREAM1_CONFIG_BYTES_MAX + 1;
    char *text = malloc(bytes);
    (void)state;
    assert_non_null(text);
    memset(text, ' ', bytes);
    memcpy(text, "{\"nimages\":5", 12);
    text[bytes - 1] = '}';
    begin("basic");
    add(text, bytes);
    take();
    assert_int_equal(series->number_of_images, 0);
    text[bytes - 2] = '}';
    parts.part[1].bytes--;
    take();
    assert_int_equal(series->number_of_images, 5);
    free(text);
}

static void only_a_header_with_a_series_number_is_taken(void **state)
{
    static const char *const bad[] = {"{\"htype\":\"dheader-1.0\"}",
                                      "{\"htype\":\"dheader-1.0\",\"series\":-4}",
                                      "{\"htype\":\"dheader-1.0\",\"series\":\"four\"}",
                                      "{\"htype\":\"dheader-1.0\",\"series\":4",
                                      "{\"htype\":\"dseries_end-1.0\",\"series\":4}",
                                      "{\"htype\":\"dimage-1.0\",\"series\":4,\"frame\":0}",
                                      ""};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct sluice_series *made = (struct sluice_series *)&parts;
        parts = (struct sluice_parts){.part = {span_of(bad[i])}, .count = 1};
        sluice_error_clear(&error);
        assert_int_not_equal(sluice_stream1_start(&parts, &made, &error), SLUICE_OK);
        assert_null(made);
        assert_true(error.message[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_of_the_configuration_has_its_place),
        cmocka_unit_test(the_start_message_has_every_key_as_it_came),
        cmocka_unit_test(numbers_may_come_as_texts),
        cmocka_unit_test(a_number_too_large_for_jansson_costs_no_other),
        cmocka_unit_test(with_detail_none_the_first_image_says_the_rest),
        cmocka_unit_test(where_it_does_not_say_its_detail_the_parts_do),
        cmocka_unit_test(with_detail_all_come_flatfield_mask_and_table),
        cmocka_unit_test(the_last_part_may_be_an_appendix),
        cmocka_unit_test(an_appendix_that_is_no_text_or_too_long_is_named),
        cmocka_unit_test(arrays_that_lie_are_left_out_and_the_rest_kept),
        cmocka_unit_test(parts_that_are_missing_are_not_read),
        cmocka_unit_test(what_cannot_be_read_is_left_out),
        cmocka_unit_test(sizes_that_cannot_be_are_left_to_the_first_image),
        cmocka_unit_test(long_texts_are_cut_at_a_character),
        cmocka_unit_test(a_configuration_that_is_too_long_is_left_out),
        cmocka_unit_test(only_a_header_with_a_series_number_is_taken),
    };
    sluice_log_set_level(SLUICE_LOG_ERROR);
    return cmocka_run_group_tests_name("stream1: headers", tests, NULL, teardown);
}
