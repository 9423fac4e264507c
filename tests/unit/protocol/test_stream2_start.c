/* SPDX-License-Identifier: Apache-2.0
 *
 * Start messages: every field, its text, and what is done with those that are wrong or too large.
 */
#include "tests/unit/protocol/cmocka_all.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "ingest/protocol/stream2.h"
#include "tests/unit/protocol/messages.h"

#define WIDTH  11
#define HEIGHT 7
#define PIXELS (WIDTH * HEIGHT)

static struct sluice_error error;

static struct sluice_series *start(struct builder *builder)
{
    struct sluice_series *series = NULL;

    sluice_error_clear(&error);
    if (sluice_stream2_start(build_span(builder), &series, &error) != SLUICE_OK)
        fail_msg("refused: %s", error.message);
    assert_non_null(series);
    build_free(builder);
    return series;
}

static void assert_refused(struct builder *builder, enum sluice_status status, const char *words)
{
    struct sluice_series *series = (struct sluice_series *)builder;

    sluice_error_clear(&error);
    assert_int_equal(sluice_stream2_start(build_span(builder), &series, &error), status);
    assert_null(series);
    if (strstr(error.message, words) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", words, error.message);
    build_free(builder);
}

/* The start is taken without the field, whose value stays in the text. */
static void assert_field_left_out(struct builder *builder, const char *key)
{
    struct sluice_series *series = start(builder);
    char quoted[64];

    snprintf(quoted, sizeof(quoted), "\"%s\":", key);
    assert_non_null(strstr(series->start_message, quoted));
    assert_int_equal(series->axis_count, 0);
    assert_int_equal(series->number_of_images, 0);
    assert_false(series->has_saturation_value);
    assert_true(isnan(series->detector_translation[0]) && isnan(series->beam_center_x) &&
                isnan(series->count_time));
    sluice_series_destroy(series);
}

/* A start message with one more key, whose value is the caller's. */
static void begin_with(struct builder *builder, const char *key)
{
    message_start_begin(builder, WIDTH, HEIGHT, "uint16", 1);
    build_text(builder, key);
}

/* The same with two channels, a and b. */
static void begin_with_channels(struct builder *builder, const char *key)
{
    message_start_begin(builder, WIDTH, HEIGHT, "uint16", 2);
    build_text(builder, "channels");
    build_raw(builder,
              "\x82\x61"
              "a"
              "\x61"
              "b",
              5);
    build_text(builder, key);
}

static void every_field_finds_its_place(void **state)
{
    struct builder builder = {0};
    struct sluice_series *series;

    (void)state;
    message_whole_start(&builder, WIDTH, HEIGHT);
    series = start(&builder);
    assert_int_equal(series->series_id, 7);
    assert_string_equal(series->unique_id, MESSAGE_UNIQUE_ID);
    assert_false(series->start_missed);
    assert_int_equal(series->width, WIDTH);
    assert_int_equal(series->height, HEIGHT);
    assert_int_equal(series->dtype, SLUICE_U16);
    assert_int_equal(series->number_of_images, 1000);
    assert_string_equal(series->arm_date, "2023-02-10T15:49:05.170+01:00");
    assert_string_equal(series->detector_description, "Dectris EIGER2 R 500K");
    assert_string_equal(series->detector_serial_number, "E-01-0000");
    assert_string_equal(series->sensor_material, "Si");
    assert_string_equal(series->sample_name, "lysozyme \xc3\xa9");
    assert_string_equal(series->source_name, "Ring");
    assert_true(series->beam_center_x == 0.5 && series->beam_center_y == 1.5);
    assert_true(series->count_time == 2.5 && series->frame_time == 3.5);
    assert_true(series->incident_energy == 4.5 && series->incident_wavelength == 5.5);
    assert_true(series->pixel_size_x == 6.5 && series->pixel_size_y == 7.5);
    assert_true(series->sensor_thickness == 8.5);
    assert_true(series->detector_translation[0] == 0 && series->detector_translation[1] == -0.25 &&
                series->detector_translation[2] == 0.1);
    assert_true(series->has_saturation_value);
    assert_int_equal(series->saturation_value, 65534);
    assert_int_equal(series->countrate_correction_applied, 1);
    assert_int_equal(series->flatfield_applied, 0);
    assert_int_equal(series->pixel_mask_applied, 1);
    assert_int_equal(series->virtual_pixel_interpolation_applied, 0);
    assert_int_equal(series->axis_count, 3);
    assert_string_equal(series->axes[0].name, "omega");
    assert_true(series->axes[0].start == 12.5 && series->axes[0].increment == 0.1);
    assert_true(series->axes[1].start == -3 && isnan(series->axes[1].increment));
    assert_string_equal(series->axes[2].name, "phi");
    assert_true(isnan(series->axes[2].start) && isnan(series->axes[2].increment));
    assert_int_equal(series->countrate_table_count, 5);
    assert_int_equal(series->countrate_table[4], 70000);
    assert_true(isnan(series->detector_readout_time));
    sluice_series_destroy(series);
}

static void channels_get_their_arrays_raw_or_compressed(void **state)
{
    static const char *const names[] = {"threshold_1", "threshold_2", "difference"};
    struct builder builder = {0};
    struct sluice_series *series;

    (void)state;
    message_whole_start(&builder, WIDTH, HEIGHT);
    series = start(&builder);
    assert_int_equal(series->channel_count, 3);
    for (uint32_t c = 0; c < 3; c++) {
        const struct sluice_channel *channel = &series->channels[c];
        uint8_t *expected = message_pixels(PIXELS * 4, c + 10);

        assert_string_equal(channel->name, names[c]);
        if (c < 2) {
            assert_memory_equal(channel->pixel_mask, expected, PIXELS * 4);
            assert_memory_equal(channel->flatfield, expected, PIXELS * 4);
            assert_true(channel->threshold_energy == (c == 0 ? 4020.5 : 6030));
        } else {
            assert_null(channel->pixel_mask);
            assert_null(channel->flatfield);
            assert_true(isnan(channel->threshold_energy));
        }
        free(expected);
    }
    sluice_series_destroy(series);
}

static void the_text_holds_every_key_but_the_large_arrays(void **state)
{
    static const char *const kept[] = {
        "{\"type\":\"start\",\"series_id\":7,",
        "\"arm_date\":\"2023-02-10T15:49:05.170+01:00\"",
        "\"channels\":[\"threshold_1\",\"threshold_2\",\"difference\"]",
        "\"goniometer\":{\"omega\":{\"start\":12.5,\"increment\":0.1},\"chi\":{\"start\":-3},"
        "\"phi\":null}",
        "\"detector_translation\":[0,-0.25,0.1]",
        "\"user_data\":{\"sample\":\"lysozyme \\u00e9\",\"source_name\":\"Ring\"}}"};
    struct builder builder = {0};
    struct sluice_series *series;

    (void)state;
    message_whole_start(&builder, WIDTH, HEIGHT);
    series = start(&builder);
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        assert_non_null(strstr(series->start_message, kept[i]));
    assert_null(strstr(series->start_message, "\"pixel_mask\""));
    assert_null(strstr(series->start_message, "\"flatfield\""));
    assert_null(strstr(series->start_message, "lookup_table"));
    sluice_series_destroy(series);
}

static void null_means_unknown(void **state)
{
    static const char *const nullable[] = {"series_unique_id",
                                           "arm_date",
                                           "number_of_images",
                                           "channels",
                                           "count_time",
                                           "incident_energy",
                                           "detector_translation",
                                           "detector_description",
                                           "saturation_value",
                                           "threshold_energy",
                                           "goniometer",
                                           "pixel_mask",
                                           "pixel_mask_enabled",
                                           "flatfield",
                                           "countrate_correction_lookup_table",
                                           "user_data"};
    struct builder builder = {0};
    struct sluice_series *series;
    const size_t count = sizeof(nullable) / sizeof(nullable[0]);

    (void)state;
    /* An end to the map is not announced, so that the ids of the head can be left away. */
    build_indefinite(&builder, MAJOR_MAP);
    build_text(&builder, "type");
    build_text(&builder, "start");
    build_text(&builder, "series_id");
    build_int(&builder, 1);
    build_text(&builder, "image_size_x");
    build_double(&builder, 4);
    build_text(&builder, "image_size_y");
    build_int(&builder, 5);
    build_text(&builder, "image_dtype");
    build_text(&builder, "float64");
    for (size_t i = 0; i < count; i++) {
        build_text(&builder, nullable[i]);
        build_null(&builder);
    }
    build_break(&builder);
    series = start(&builder);
    assert_int_equal(series->width, 4);
    assert_int_equal(series->dtype, SLUICE_F64);
    assert_int_equal(series->number_of_images, 0);
    assert_int_equal(series->channel_count, 0);
    assert_int_equal(series->axis_count, 0);
    assert_true(isnan(series->count_time) && isnan(series->detector_translation[0]));
    assert_false(series->has_saturation_value);
    assert_int_equal(series->pixel_mask_applied, -1);
    assert_string_equal(series->unique_id, "");
    assert_null(series->countrate_table);
    sluice_series_destroy(series);
}

static void fields_of_a_wrong_type_are_left_out(void **state)
{
    static const char *const keys[] = {
        "arm_date",
        "beam_center_x",
        "beam_center_y",
        "count_time",
        "countrate_correction_enabled",
        "detector_description",
        "detector_serial_number",
        "detector_translation",
        "flatfield_enabled",
        "frame_time",
        "goniometer",
        "incident_energy",
        "incident_wavelength",
        "number_of_images",
        "pixel_mask_enabled",
        "pixel_size_x",
        "pixel_size_y",
        "saturation_value",
        "sensor_material",
        "sensor_thickness",
        "threshold_energy",
        "virtual_pixel_interpolation_enabled",
    };

    (void)state;
    for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
        struct builder builder = {0};

        begin_with(&builder, keys[k]);
        build_bytes(&builder, "x", 1); /* nothing is a byte string */
        assert_field_left_out(&builder, keys[k]);
    }
}

static void values_out_of_bounds_are_left_out_and_channels_refused(void **state)
{
    static const struct {
        const char *key;
        const char *bytes;
        size_t count;
        enum sluice_status status;
    } wrong[] = {
/* clang-format off */
#define CASE(key, literal, status) {key, literal, sizeof(literal) - 1, status}
        CASE("number_of_images", "\x20", SLUICE_MALFORMED),
        CASE("number_of_images", "\xf9\x3e\x00", SLUICE_MALFORMED), /* 1.5 */
        CASE("saturation_value", "\x1b\xff\xff\xff\xff\xff\xff\xff\xff", SLUICE_MALFORMED),
        CASE("detector_translation", "\x82\x01\x02", SLUICE_MALFORMED),
        CASE("detector_translation", "\x84\x01\x02\x03\x04", SLUICE_MALFORMED),
        CASE("detector_translation", "\x83\x01\x02\x61x", SLUICE_MALFORMED),
        CASE("channels", "\x82\x61" "a\x61" "a", SLUICE_MALFORMED),
        CASE("channels", "\x81\x60", SLUICE_MALFORMED),
        CASE("channels", "\x81\xf6", SLUICE_MALFORMED),
        CASE("channels", "\x81\x63" "a\0b", SLUICE_MALFORMED),
        CASE("threshold_energy", "\xa1\x61" "a\x61" "b", SLUICE_MALFORMED),
        CASE("threshold_energy", "\xa1\x01\x02", SLUICE_MALFORMED),
        CASE("goniometer", "\xa1\x61" "o\x01", SLUICE_MALFORMED),
        CASE("goniometer", "\xa1\x61" "o\xa1\x65start\x61x", SLUICE_MALFORMED),
        CASE("goniometer", "\xa2\x61" "o\xa0\x61" "o\xa0", SLUICE_MALFORMED),
        CASE("sensor_material", "\x7f\x61" "S\x61" "i\xff", SLUICE_UNSUPPORTED),
/* clang-format on */
#undef CASE
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct builder builder = {0};

        begin_with(&builder, wrong[i].key);
        build_raw(&builder, wrong[i].bytes, wrong[i].count);
        if (strcmp(wrong[i].key, "channels") == 0)
            assert_refused(&builder, wrong[i].status, wrong[i].key);
        else
            assert_field_left_out(&builder, wrong[i].key);
    }
}

static void sizes_and_type_are_required_and_bounded(void **state)
{
    struct builder none = {0}, zero = {0}, wide = {0}, huge = {0}, dtype = {0}, end = {0};

    (void)state;
    build_raw(&none, "\xa2\x64type\x65start\x69series_id\x01", 23);
    assert_refused(&none, SLUICE_MALFORMED, "'image_size_x': the message has none");
    message_start_begin(&zero, 0, 1, "uint16", 0);
    assert_refused(&zero, SLUICE_LIMIT, "'image_size_x'");
    message_start_begin(&wide, 1, UINT32_MAX, "uint16", 0);
    assert_refused(&wide, SLUICE_LIMIT, "'image_size_y'");
    message_start_begin(&huge, 70000, 70000, "uint16", 0);
    assert_refused(&huge, SLUICE_LIMIT, "4 GiB");
    message_start_begin(&dtype, 4, 4, "uint24", 0);
    assert_refused(&dtype, SLUICE_UNSUPPORTED, "'image_dtype'");
    message_image_begin(&end, 1, 0);
    assert_refused(&end, SLUICE_MALFORMED, "not a start message");
}

static void more_channels_than_there_is_room_for_are_refused_more_axes_left_out(void **state)
{
    struct builder channels = {0}, axes = {0};
    char name[16];

    (void)state;
    begin_with(&channels, "channels");
    build_head(&channels, MAJOR_ARRAY, SLUICE_PLANES_MAX + 1);
    begin_with(&axes, "goniometer");
    build_head(&axes, MAJOR_MAP, SLUICE_AXES_MAX + 1);
    for (int i = 0; i <= SLUICE_PLANES_MAX; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        build_text(&channels, name);
        if (i <= SLUICE_AXES_MAX) {
            build_text(&axes, name);
            build_head(&axes, MAJOR_MAP, 0);
        }
    }
    assert_refused(&channels, SLUICE_LIMIT, "more than 32 channels");
    assert_field_left_out(&axes, "goniometer");
}

static void long_texts_are_cut_between_characters_and_whole_in_the_text(void **state)
{
    struct builder builder = {0};
    struct sluice_series *series;

    (void)state;
    begin_with(&builder, "detector_description");
    build_head(&builder, MAJOR_TEXT, 254 + 2 + 1);
    for (int i = 0; i < 254; i++)
        build_raw(&builder, "d", 1);
    build_raw(&builder, "\xc3\xa9!", 3);
    series = start(&builder);
    assert_int_equal(strlen(series->detector_description), 254);
    assert_non_null(strstr(series->start_message, "d\\u00e9!"));
    sluice_series_destroy(series);
}

static void narrower_masks_are_widened_and_doubles_narrowed(void **state)
{
    (void)state;
    for (int c = 0; c < 3; c++) {
        static const enum sluice_dtype dtypes[] = {SLUICE_U8, SLUICE_U16, SLUICE_F64};
        static const char *const keys[] = {"pixel_mask", "pixel_mask", "flatfield"};
        struct builder builder = {0};
        struct sluice_series *series;
        double values[PIXELS];
        uint8_t bytes[PIXELS];
        uint16_t words[PIXELS];
        const void *arrays[] = {bytes, words, values};

        for (int i = 0; i < PIXELS; i++) {
            bytes[i] = (uint8_t)(i + 200);
            words[i] = (uint16_t)(i + 65500);
            values[i] = i * 0.5;
        }
        begin_with_channels(&builder, keys[c]);
        build_raw(&builder,
                  "\xa1\x61"
                  "b",
                  3);
        message_array(&builder, WIDTH, HEIGHT, dtypes[c], SLUICE_ENCODING_BSLZ4, arrays[c]);
        series = start(&builder);
        for (int i = 0; i < PIXELS; i++) {
            if (c == 0)
                assert_int_equal(series->channels[1].pixel_mask[i], bytes[i]);
            else if (c == 1)
                assert_int_equal(series->channels[1].pixel_mask[i], words[i]);
            else
                assert_true(series->channels[1].flatfield[i] == (float)values[i]);
        }
        sluice_series_destroy(series);
    }
}

/* A mask of channel `channel` under `begin`, as the caller's `bytes`: left out, and another one
 * that is good after it is not. */
static void assert_left_out(const void *bytes, size_t count, const char *channel)
{
    struct builder builder = {0};
    struct sluice_series *series;
    uint8_t *pixels = message_pixels(PIXELS * 4, 1);

    begin_with_channels(&builder, "pixel_mask");
    build_head(&builder, MAJOR_MAP, 2);
    build_text(&builder, channel);
    build_raw(&builder, bytes, count);
    build_text(&builder, "b");
    message_array(&builder, WIDTH, HEIGHT, SLUICE_U32, SLUICE_ENCODING_LZ4, pixels);
    series = start(&builder);
    assert_null(series->channels[0].pixel_mask);
    assert_memory_equal(series->channels[1].pixel_mask, pixels, PIXELS * 4);
    sluice_series_destroy(series);
    free(pixels);
}

static void arrays_that_cannot_be_used_are_left_out_one_by_one(void **state)
{
    struct builder wide = {0}, floats = {0}, broken = {0}, good = {0};
    uint8_t *pixels = message_pixels(PIXELS * 4, 1);
    struct sluice_span payload = message_encode(SLUICE_ENCODING_BSLZ4, pixels, PIXELS * 4, 4);

    (void)state;
    assert_left_out("\x01", 1, "a");
    message_array(&wide, WIDTH - 1, HEIGHT, SLUICE_U32, SLUICE_ENCODING_NONE, pixels);
    assert_left_out(wide.data, wide.bytes, "a");
    message_array(&floats, WIDTH, HEIGHT, SLUICE_F32, SLUICE_ENCODING_NONE, pixels);
    assert_left_out(floats.data, floats.bytes, "a");
    message_array(&good, WIDTH, HEIGHT, SLUICE_U32, SLUICE_ENCODING_NONE, pixels);
    assert_left_out(good.data, good.bytes, "of nobody");
    /* Framing that agrees, and LZ4 data that do not decompress. */
    message_shape(&broken, WIDTH, HEIGHT);
    build_head(&broken, MAJOR_TAG, 70);
    memset((uint8_t *)(uintptr_t)payload.data + 16, 0xFF, 8);
    message_compressed(&broken, "bslz4", 4, payload);
    assert_left_out(broken.data, broken.bytes, "a");
    free((void *)(uintptr_t)payload.data);
    free(pixels);
    build_free(&wide);
    build_free(&floats);
    build_free(&broken);
    build_free(&good);
}

static void a_mask_that_is_no_map_and_a_table_that_is_no_array_are_left_out(void **state)
{
    static const char *const keys[] = {"pixel_mask", "flatfield",
                                       "countrate_correction_lookup_table"};

    (void)state;
    for (int k = 0; k < 3; k++) {
        struct builder builder = {0};
        struct sluice_series *series;

        begin_with_channels(&builder, keys[k]);
        build_int(&builder, 5);
        series = start(&builder);
        assert_null(series->channels[0].pixel_mask);
        assert_null(series->channels[0].flatfield);
        assert_null(series->countrate_table);
        sluice_series_destroy(series);
    }
}

static void tables_come_raw_compressed_or_shaped(void **state)
{
    static const uint32_t table[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    struct sluice_span payload =
        message_encode(SLUICE_ENCODING_LZ4, table, sizeof(table), sizeof(table[0]));

    (void)state;
    for (int form = 0; form < 3; form++) {
        struct builder builder = {0};
        struct sluice_series *series;

        begin_with(&builder, "countrate_correction_lookup_table");
        if (form == 1)
            build_raw(&builder, "\xd8\x28\x82\x81\x0a", 5);
        build_head(&builder, MAJOR_TAG, 70);
        if (form == 2)
            message_compressed(&builder, "lz4", 0, payload);
        else
            build_bytes(&builder, table, sizeof(table));
        series = start(&builder);
        assert_int_equal(series->countrate_table_count, 10);
        assert_memory_equal(series->countrate_table, table, sizeof(table));
        sluice_series_destroy(series);
    }
    free((void *)(uintptr_t)payload.data);
}

static void a_field_that_is_too_large_for_the_text_is_named_in_it(void **state)
{
    struct builder builder = {0};
    struct sluice_series *series;
    const uint32_t bytes = 5u << 20;
    char *filler = malloc(bytes);

    (void)state;
    assert_non_null(filler);
    memset(filler, 'f', bytes);
    message_start_begin(&builder, WIDTH, HEIGHT, "uint16", 3);
    build_text(&builder, "before");
    build_head(&builder, MAJOR_ARRAY, 2);
    build_int(&builder, 1);
    build_head(&builder, MAJOR_TEXT, bytes);
    build_raw(&builder, filler, bytes);
    build_text(&builder, "blob");
    build_bytes(&builder, filler, 70000);
    build_text(&builder, "after");
    build_int(&builder, 1);
    series = start(&builder);
    assert_non_null(strstr(series->start_message, "\"before\":{\"bytes\":5242887,\"omitted\":true},"
                                                  "\"blob\":{\"bytes\":70000,\"omitted\":true},"
                                                  "\"after\":1}"));
    sluice_series_destroy(series);
    free(filler);
}

static void a_message_of_very_many_keys_keeps_its_text_bounded(void **state)
{
    struct builder builder = {0};
    struct sluice_series *series;
    const unsigned count = 1000000;

    (void)state;
    message_start_begin(&builder, WIDTH, HEIGHT, "uint16", count);
    for (unsigned i = 0; i < count; i++) {
        char key[16];

        snprintf(key, sizeof(key), "key%u", i);
        build_text(&builder, key);
        build_int(&builder, 1);
    }
    series = start(&builder);
    assert_in_range(strlen(series->start_message), 4u << 20, (4u << 20) + 100);
    assert_non_null(strstr(series->start_message, "\"omitted_keys\":"));
    sluice_series_destroy(series);
}

static int quiet(void **state)
{
    (void)state;
    sluice_log_set_level(SLUICE_LOG_ERROR);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_finds_its_place),
        cmocka_unit_test(channels_get_their_arrays_raw_or_compressed),
        cmocka_unit_test(the_text_holds_every_key_but_the_large_arrays),
        cmocka_unit_test(null_means_unknown),
        cmocka_unit_test(fields_of_a_wrong_type_are_left_out),
        cmocka_unit_test(values_out_of_bounds_are_left_out_and_channels_refused),
        cmocka_unit_test(sizes_and_type_are_required_and_bounded),
        cmocka_unit_test(more_channels_than_there_is_room_for_are_refused_more_axes_left_out),
        cmocka_unit_test(long_texts_are_cut_between_characters_and_whole_in_the_text),
        cmocka_unit_test(narrower_masks_are_widened_and_doubles_narrowed),
        cmocka_unit_test(arrays_that_cannot_be_used_are_left_out_one_by_one),
        cmocka_unit_test(a_mask_that_is_no_map_and_a_table_that_is_no_array_are_left_out),
        cmocka_unit_test(tables_come_raw_compressed_or_shaped),
        cmocka_unit_test(a_field_that_is_too_large_for_the_text_is_named_in_it),
        cmocka_unit_test(a_message_of_very_many_keys_keeps_its_text_bounded),
    };

    return cmocka_run_group_tests(tests, quiet, NULL);
}
