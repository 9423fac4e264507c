/* SPDX-License-Identifier: Apache-2.0
 *
 * Stream V1 messages that are cut, changed at random, or lie about their sizes: an error or a right
 * answer, never a read outside of a part (each ends where its allocation does), and no memory for
 * an image. The allocator is wrapped by the linker, so that every request of ours is seen. The seed
 * of the random part is printed and can be given in SLUICE_TEST_SEED. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/codec/codec.h"
#include "core/log.h"
#include "ingest/protocol/stream1.h"
#include "tests/unit/protocol/allocations.h"

#define PARTS  9
#define ROUNDS 40000

static uint64_t random_state;

static size_t below(size_t bound)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (size_t)(random_state % bound);
}

static uint8_t block[200];
static const uint8_t array[4 * 12];

static const struct {
    const void *data;
    size_t bytes; /* 0: a text */
} image_parts[] =
    {
        {"{\"htype\":\"dimage-1.0\",\"series\":42,\"frame\":7,\"hash\":\"fc67f000\"}", 0},
        {"{\"htype\":\"dimage_d-1.0\",\"shape\":[8,6],\"type\":\"uint16\",\"encoding\":\"lz4<\","
         "\"size\":98}",
         0},
        {block, 98},
        {"{\"htype\":\"dconfig-1.0\",\"start_time\":15,\"stop_time\":17.5,\"real_time\":\"2\"}", 0},
        {"{\"user\":\"\u00b0\\u00e9\"}", 0},
},
  header_parts[] = {
      {"{\"htype\":\"dheader-1.0\",\"series\":42,\"header_detail\":\"all\"}", 0},
      {"{\"nimages\":10,\"ntrigger\":\"3\",\"x_pixels_in_detector\":4,\"y_pixels_in_detector\":3,"
       "\"bit_depth_image\":16,\"wavelength\":0.9795,\"description\":\"Eiger\",\"omega_start\":1e-"
       "3,"
       "\"pixel_mask_applied\":true,\"countrate_correction_count_cutoff\":4231}",
       0},
      {"{\"htype\":\"dflatfield-1.0\",\"shape\":[4,3],\"type\":\"float32\"}", 0},
      {array, sizeof array},
      {"{\"htype\":\"dpixelmask-1.0\",\"shape\":[4,3],\"type\":\"uint32\"}", 0},
      {array, sizeof array},
      {"{\"htype\":\"dcountrate_table-1.0\",\"shape\":[2,6],\"type\":\"float32\"}", 0},
      {array, sizeof array},
      {"{\"sample\":\"lysozyme\"}", 0},
};

/* A copy of the message, each part in its own allocation. */
static void copy_parts(struct sluice_parts *parts, bool of_header)
{
    memset(parts, 0, sizeof *parts);
    parts->count = of_header ? 9 : 5;
    for (uint32_t i = 0; i < parts->count; i++) {
        const void *data = of_header ? header_parts[i].data : image_parts[i].data;
        size_t bytes = of_header ? header_parts[i].bytes : image_parts[i].bytes;
        bytes = bytes == 0 ? strlen(data) : bytes;
        uint8_t *copy = __real_malloc(bytes + 1);
        assert_non_null(copy);
        memcpy(copy, data, bytes);
        parts->part[i] = (struct sluice_span){copy, bytes};
    }
}

static void free_parts(struct sluice_parts *parts)
{
    for (uint32_t i = 0; i < SLUICE_PARTS_MAX; i++)
        free((void *)(uintptr_t)parts->part[i].data);
}

static enum sluice_status decode(const struct sluice_parts *parts, struct sluice_image *image)
{
    static char text[128];
    const struct sluice_text_buffer buffer = {text, sizeof text};
    struct sluice_message_head head;
    struct sluice_error error = {0};
    const enum sluice_status status = sluice_stream1_decode(parts, &head, image, &buffer, &error);
    assert_int_equal(error.status, status);
    assert_true((status == SLUICE_OK) == (error.message[0] == '\0'));
    return status;
}

static enum sluice_status start(const struct sluice_parts *parts)
{
    struct sluice_series *series = NULL;
    struct sluice_error error = {0};
    const enum sluice_status status = sluice_stream1_start(parts, &series, &error);
    assert_true((status == SLUICE_OK) == (series != NULL));
    assert_int_equal(error.status, status);
    sluice_series_destroy(series);
    return status;
}

static void an_image_is_decoded_without_an_allocation(void **state)
{
    struct sluice_parts parts;
    static struct sluice_image image;
    (void)state;
    copy_parts(&parts, false);
    allocation_count = 0;
    assert_true(sluice_stream1_probe(&parts));
    assert_int_equal(decode(&parts, &image), SLUICE_OK);
    assert_int_equal(allocation_count, 0);
    assert_int_equal(start(&parts), SLUICE_MALFORMED);
    free_parts(&parts);
}

static void claims_take_no_memory(void **state)
{
    static const char *const claims[] = {
        "{\"htype\":\"dflatfield-1.0\",\"shape\":[2147483647,2147483647],\"type\":\"float32\"}",
        "{\"htype\":\"dpixelmask-1.0\",\"shape\":[65536,65536],\"type\":\"uint32\"}",
        "{\"htype\":\"dcountrate_table-1.0\",\"shape\":[2147483647,2],\"type\":\"float32\"}",
    };
    struct sluice_parts parts;
    (void)state;
    for (size_t i = 0; i < sizeof claims / sizeof claims[0]; i++) {
        copy_parts(&parts, true);
        const struct sluice_span kept = parts.part[2];
        parts.part[2] = (struct sluice_span){(const uint8_t *)claims[i], strlen(claims[i])};
        largest_allocation = 0;
        assert_int_equal(start(&parts), SLUICE_OK);
        assert_true(largest_allocation <= sizeof(struct sluice_series));
        parts.part[2] = kept;
        free_parts(&parts);
    }
}

static void any_part_cut_anywhere_is_survived(void **state)
{
    static struct sluice_image image;
    (void)state;
    for (int of_header = 0; of_header < 2; of_header++) {
        struct sluice_parts whole;
        copy_parts(&whole, of_header != 0);
        for (uint32_t p = 0; p < whole.count; p++) {
            for (size_t bytes = 0; bytes < whole.part[p].bytes; bytes++) {
                struct sluice_parts parts = whole;
                uint8_t *copy = __real_malloc(bytes + (bytes == 0));
                assert_non_null(copy);
                memcpy(copy, whole.part[p].data, bytes);
                parts.part[p] = (struct sluice_span){copy, bytes};
                const enum sluice_status status = decode(&parts, &image);
                if (of_header == 0 && p < 4)
                    assert_int_not_equal(status, SLUICE_OK);
                /* of a header only the first part can be wrong */
                assert_int_equal(start(&parts) == SLUICE_OK, of_header != 0 && p > 0);
                free(copy);
            }
        }
        free_parts(&whole);
    }
}

static void random_changes_are_survived(void **state)
{
    static struct sluice_image image;
    size_t accepted = 0, refused = 0;
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct sluice_parts parts;
        copy_parts(&parts, round % 2 != 0);
        for (size_t changes = 1 + below(3); changes > 0; changes--) {
            const struct sluice_span part = parts.part[below(parts.count)];
            uint8_t *data = (uint8_t *)(uintptr_t)part.data;
            static const uint8_t marks[] = "\"{}[]:,\\0-9e";
            data[below(part.bytes)] =
                below(4) == 0 ? marks[below(sizeof marks)] : (uint8_t)below(256);
        }
        if (below(10) == 0)
            parts.count = (uint32_t)below(PARTS);
        const enum sluice_status status = decode(&parts, &image);
        accepted += status == SLUICE_OK;
        refused += status != SLUICE_OK;
        (void)start(&parts);
        free_parts(&parts);
    }
    printf("%zu accepted, %zu refused\n", accepted, refused);
    assert_true(accepted > 0 && refused > ROUNDS / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_image_is_decoded_without_an_allocation),
        cmocka_unit_test(claims_take_no_memory),
        cmocka_unit_test(any_part_cut_anywhere_is_survived),
        cmocka_unit_test(random_changes_are_survived),
    };
    const char *given = getenv("SLUICE_TEST_SEED");
    random_state = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    random_state += random_state == 0; /* xorshift stays at 0 */
    printf("SLUICE_TEST_SEED=%llu\n", (unsigned long long)random_state);
    block[0] = 0xf0; /* 96 literals */
    block[1] = 96 - 15;
    sluice_log_set_level(SLUICE_LOG_ERROR);
    return cmocka_run_group_tests_name("stream1: hostile", tests, NULL, NULL);
}
