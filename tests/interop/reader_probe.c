/* SPDX-License-Identifier: Apache-2.0
 *
 * Asks libsluice-follow for everything it can tell of one image, and for things that it must
 * refuse; prints what it said as JSON for reader_library.py. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <sluice/follow.h>

/* The image numbered `number`; the rest is gone through, and the first lost one kept. */
static int find(sluice_reader *reader, uint64_t number, struct sluice_reader_image *found,
                struct sluice_reader_image *lost)
{
    struct sluice_reader_image image;
    int result, hits = 0;
    while ((result = sluice_reader_next(reader, 5, &image)) == SLUICE_READER_OK) {
        if (image.number == number) {
            *found = image;
            hits++;
        }
        if (image.state == SLUICE_READER_LOST) {
            *lost = image;
            hits++;
        }
    }
    return result == SLUICE_READER_END ? hits : result;
}

static void print_answers(sluice_reader *reader, const struct sluice_reader_image *image,
                          const struct sluice_reader_image *lost, char *pixels, size_t bytes)
{
    double number;
    char text[32];
    int answers[6];
    answers[0] = sluice_reader_column_f64(reader, image, "nothing", &number);
    printf("\"message\":\"%s\",", sluice_reader_message(reader));
    answers[1] = sluice_reader_column_f64(reader, image, "data", &number);
    answers[2] = sluice_reader_column_text(reader, image, "start_time", text, sizeof(text));
    answers[3] = sluice_reader_pixels(reader, lost, 0, pixels, bytes);
    answers[4] = sluice_reader_pixels(reader, image, 0, pixels, bytes - 1);
    answers[5] = sluice_reader_pixels(reader, image, 7, pixels, bytes);
    printf("\"answers\":[%d,%d,%d,%d,%d,%d]}\n", answers[0], answers[1], answers[2], answers[3],
           answers[4], answers[5]);
}

int main(int argc, char **argv)
{
    sluice_reader *reader;
    struct sluice_reader_channel channel;
    struct sluice_reader_image image, lost;
    char why[256];
    if (argc != 2 ||
        sluice_reader_open(argv[1], 5, &reader, why, sizeof(why)) != SLUICE_READER_OK ||
        find(reader, 2, &image, &lost) != 2 || sluice_reader_channel(reader, 0, &channel) != 0)
        return 1;
    const void *data;
    size_t bytes;
    int encoding;
    uint64_t image_id = 0, checksum = 0, sum = 0;
    int64_t arrival = 0, saturation = 0;
    if (sluice_reader_chunk(reader, &image, 0, &data, &bytes, &encoding) != SLUICE_READER_OK ||
        sluice_reader_column_u64(reader, &image, "image_id", &image_id) != SLUICE_READER_OK ||
        sluice_reader_column_u64(reader, &image, "checksum", &checksum) != SLUICE_READER_OK ||
        sluice_reader_column_i64(reader, &image, "arrival_time", &arrival) != SLUICE_READER_OK ||
        sluice_reader_saturation(reader, 0, &saturation) != SLUICE_READER_OK)
        return 1;
    for (size_t i = 0; i < bytes; i++)
        sum += ((const unsigned char *)data)[i];
    printf("{\"chunk_bytes\":%zu,\"chunk_sum\":%" PRIu64 ",\"encoding\":%d,\"image_id\":%" PRIu64
           ",\"checksum\":%" PRIu64 ",\"arrival\":%" PRId64 ",\"arrival_column\":%" PRId64
           ",\"saturation\":%" PRId64 ",\"file\":\"%s\",\"lost_image\":%" PRIu64 ",",
           bytes, sum, encoding, image_id, checksum, image.arrival_ns, arrival, saturation,
           sluice_reader_file(reader, &image), lost.number);
    char *pixels = malloc(channel.image_bytes);
    if (!pixels)
        return 1;
    print_answers(reader, &image, &lost, pixels, channel.image_bytes);
    free(pixels);
    sluice_reader_close(reader);
    return 0;
}
