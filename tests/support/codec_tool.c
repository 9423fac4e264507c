/* SPDX-License-Identifier: Apache-2.0
 *
 * Our codec from the command line, for the interoperability tests:
 *
 *   codec_tool encode bslz4|lz4 ELEMENT_BYTES IN OUT
 *   codec_tool decode bslz4|lz4 ELEMENT_BYTES IN OUT DECODED_BYTES
 *
 * encode checks what it made; decode checks the framing first. Exit status 0, or 1 and one line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/codec/codec.h"

struct buffer {
    uint8_t *data;
    size_t bytes;
};

static struct buffer allocate(size_t bytes)
{
    struct buffer buffer = {malloc(bytes > 0 ? bytes : 1), bytes};

    if (buffer.data == NULL) {
        fprintf(stderr, "codec_tool: no memory for %zu bytes\n", bytes);
        exit(1);
    }
    return buffer;
}

static struct buffer read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct buffer buffer = {0};
    long bytes;

    if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (bytes = ftell(file)) < 0) {
        perror(path);
        exit(1);
    }
    rewind(file);
    buffer = allocate((size_t)bytes);
    if (fread(buffer.data, 1, buffer.bytes, file) != buffer.bytes) {
        perror(path);
        exit(1);
    }
    fclose(file);
    return buffer;
}

static void write_file(const char *path, struct buffer buffer)
{
    FILE *file = fopen(path, "wb");

    if (file == NULL || fwrite(buffer.data, 1, buffer.bytes, file) != buffer.bytes ||
        fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

static void must(enum sluice_status status, const char *what)
{
    if (status == SLUICE_OK)
        return;
    fprintf(stderr, "codec_tool: %s: %s\n", what, sluice_status_text(status));
    exit(1);
}

int main(int argc, char **argv)
{
    struct sluice_codec_scratch scratch = {0};
    enum sluice_encoding encoding;
    struct buffer in, out;
    size_t element_bytes;

    if (argc < 6 || (strcmp(argv[1], "encode") != 0 && (strcmp(argv[1], "decode") || argc != 7))) {
        fprintf(stderr, "usage: codec_tool encode|decode bslz4|lz4 ELEMENT_BYTES IN OUT [BYTES]\n");
        return 1;
    }
    encoding = strcmp(argv[2], "lz4") == 0 ? SLUICE_ENCODING_LZ4 : SLUICE_ENCODING_BSLZ4;
    element_bytes = strtoul(argv[3], NULL, 10);
    in = read_file(argv[4]);
    if (strcmp(argv[1], "encode") == 0) {
        out = allocate(sluice_codec_bound(encoding, element_bytes, in.bytes));
        must(sluice_codec_encode(encoding, in.data, in.bytes, element_bytes, out.data, out.bytes,
                                 &out.bytes, &scratch),
             "encode");
        must(sluice_codec_check(encoding, (struct sluice_span){out.data, out.bytes}, element_bytes,
                                in.bytes),
             "check of what was encoded");
    } else {
        struct sluice_span payload = {in.data, in.bytes};

        out = allocate(strtoul(argv[6], NULL, 10));
        must(sluice_codec_check(encoding, payload, element_bytes, out.bytes), "check");
        must(sluice_codec_decode(encoding, payload, element_bytes, out.data, out.bytes, &scratch),
             "decode");
    }
    write_file(argv[5], out);
    sluice_codec_scratch_close(&scratch);
    free(in.data);
    free(out.data);
    return 0;
}
