/* SPDX-License-Identifier: Apache-2.0
 *
 * dlopen; one thread where the library would use OpenMP, because all here is of one core. */
#include "bench/kernels/library.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

static sluice_library_function *function_of(void *handle, const char *name)
{
    void *symbol = dlsym(handle, name);
    sluice_library_function *function = NULL;
    memcpy(&function, &symbol, sizeof(function));
    return function;
}

enum sluice_status sluice_codec_library_open(struct sluice_codec_library *library, const char *path,
                                             struct sluice_error *error)
{
    *library = (struct sluice_codec_library){0};
    setenv("OMP_NUM_THREADS", "1", 0);
    library->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library->handle == NULL)
        return sluice_error_set(error, SLUICE_NOT_FOUND, "%s", dlerror());
    library->compress = function_of(library->handle, "bshuf_compress_lz4");
    library->decompress = function_of(library->handle, "bshuf_decompress_lz4");
    if (library->compress == NULL || library->decompress == NULL) {
        sluice_codec_library_close(library);
        return sluice_error_set(error, SLUICE_NOT_FOUND,
                                "%s has no bshuf_compress_lz4 and bshuf_decompress_lz4", path);
    }
    return SLUICE_OK;
}

void sluice_codec_library_close(struct sluice_codec_library *library)
{
    if (library->handle != NULL)
        dlclose(library->handle);
    *library = (struct sluice_codec_library){0};
}
