/* SPDX-License-Identifier: Apache-2.0
 *
 * Follows a series to its end and prints one line an image and channel: number, channel, sum of
 * the pixels that are not masked, start_time.
 *
 *   cc follow_series.c $(pkg-config --cflags --libs sluice-follow) -o follow_series
 *   ./follow_series run_master.h5 */
#include <stdio.h>
#include <stdlib.h>

#include <sluice/follow.h>

static double pixel(const void *pixels, size_t i, uint32_t type)
{
    switch (type) {
    case SLUICE_READER_U8:
        return ((const uint8_t *)pixels)[i];
    case SLUICE_READER_U16:
        return ((const uint16_t *)pixels)[i];
    case SLUICE_READER_U32:
        return ((const uint32_t *)pixels)[i];
    case SLUICE_READER_I32:
        return ((const int32_t *)pixels)[i];
    case SLUICE_READER_F32:
        return ((const float *)pixels)[i];
    default:
        return 0; /* this example knows the common ones */
    }
}

static int show(sluice_reader *reader, const struct sluice_reader_image *image, unsigned channel)
{
    struct sluice_reader_channel c;
    sluice_reader_channel(reader, channel, &c);
    void *pixels = malloc(c.image_bytes);
    if (!pixels)
        return SLUICE_READER_FAILED;
    int result = sluice_reader_pixels(reader, image, channel, pixels, c.image_bytes);
    if (result != SLUICE_READER_OK) {
        fprintf(stderr, "image %llu: %s\n", (unsigned long long)image->number,
                sluice_reader_message(reader));
        free(pixels);
        return result;
    }
    const uint32_t *mask = sluice_reader_mask(reader, channel);
    double sum = 0, start = 0;
    for (size_t i = 0; i < (size_t)c.width * c.height; i++) {
        if (!mask || (mask[i] & 0xFFFF) == 0)
            sum += pixel(pixels, i, c.type);
    }
    sluice_reader_column_f64(reader, image, "start_time", &start);
    printf("%llu %s %.17g %.17g\n", (unsigned long long)image->number, c.name, sum, start);
    free(pixels);
    return SLUICE_READER_OK;
}

int main(int argc, char **argv)
{
    char why[512];
    sluice_reader *reader;
    struct sluice_reader_image image;
    int result;
    if (argc != 2) {
        fprintf(stderr, "usage: %s FILE\n", argv[0]);
        return 2;
    }
    if (sluice_reader_open(argv[1], 10, &reader, why, sizeof(why)) != SLUICE_READER_OK) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    while ((result = sluice_reader_next(reader, 10, &image)) == SLUICE_READER_OK) {
        if (image.state != SLUICE_READER_WRITTEN) {
            printf("%llu lost\n", (unsigned long long)image.number);
        } else {
            for (unsigned channel = 0; channel < sluice_reader_channel_count(reader); channel++)
                show(reader, &image, channel);
        }
        fflush(stdout);
    }
    if (result < 0)
        fprintf(stderr, "%s\n", sluice_reader_message(reader));
    printf("%s %s %llu\n",
           result == SLUICE_READER_END ? "end"
                                       : (result == SLUICE_READER_AGAIN ? "stalled" : "failed"),
           sluice_reader_finished(reader) ? "complete" : "incomplete",
           (unsigned long long)sluice_reader_visible(reader));
    sluice_reader_close(reader);
    return result == SLUICE_READER_END ? 0 : 1;
}
