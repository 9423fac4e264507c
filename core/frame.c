/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: names and sizes of element types stand in one table; the names are NumPy's, which are
 * also those of the detectors. */
#include "core/frame.h"

#include <string.h>

static const struct {
    const char *name;
    size_t bytes;
} dtypes[SLUICE_DTYPE_COUNT] = {
    [SLUICE_U8] = {"uint8", 1},    [SLUICE_U16] = {"uint16", 2}, [SLUICE_U32] = {"uint32", 4},
    [SLUICE_U64] = {"uint64", 8},  [SLUICE_I8] = {"int8", 1},    [SLUICE_I16] = {"int16", 2},
    [SLUICE_I32] = {"int32", 4},   [SLUICE_I64] = {"int64", 8},  [SLUICE_F32] = {"float32", 4},
    [SLUICE_F64] = {"float64", 8},
};

size_t sluice_dtype_bytes(enum sluice_dtype dtype)
{
    return (unsigned)dtype < SLUICE_DTYPE_COUNT ? dtypes[dtype].bytes : 0;
}

const char *sluice_dtype_name(enum sluice_dtype dtype)
{
    return (unsigned)dtype < SLUICE_DTYPE_COUNT ? dtypes[dtype].name : "?";
}

bool sluice_dtype_from_name(struct sluice_span name, enum sluice_dtype *dtype)
{
    for (unsigned i = 0; i < SLUICE_DTYPE_COUNT; i++) {
        if (strlen(dtypes[i].name) == name.bytes &&
            memcmp(dtypes[i].name, name.data, name.bytes) == 0) {
            *dtype = (enum sluice_dtype)i;
            return true;
        }
    }
    return false;
}

const char *sluice_encoding_name(enum sluice_encoding encoding)
{
    switch (encoding) {
    case SLUICE_ENCODING_NONE:
        return "none";
    case SLUICE_ENCODING_LZ4:
        return "lz4";
    case SLUICE_ENCODING_BSLZ4:
        return "bslz4";
    case SLUICE_ENCODING_LZ4_BLOCK:
        return "lz4-block";
    }
    return "?";
}

enum sluice_encoding sluice_encoding_stored(enum sluice_encoding encoding)
{
    return encoding == SLUICE_ENCODING_LZ4_BLOCK ? SLUICE_ENCODING_LZ4 : encoding;
}
