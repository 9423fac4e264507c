/* SPDX-License-Identifier: Apache-2.0
 *
 * Paths of the files of one set: <directory>/<NAME>_data_00000N.h5, …_master.h5, ….nxs. File
 * numbers start at 1 and have at least six digits. A path that would be cut is an error. */
#include "writer/layout/layout.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum sluice_status sluice_layout_data_path(const char *directory, const char *name, uint64_t index0,
                                           char *path, size_t bytes)
{
    int length = snprintf(path, bytes, "%s/%s_data_%06" PRIu64 ".h5", directory, name, index0 + 1);
    return length < 0 || (size_t)length >= bytes ? SLUICE_LIMIT : SLUICE_OK;
}

enum sluice_status sluice_layout_master_path(const char *directory, const char *name,
                                             uint32_t channel_index, const char *channel_name,
                                             bool nxs, char *path, size_t bytes)
{
    bool first = channel_index == 0 || channel_name == NULL || strcmp(channel_name, "data") == 0;
    int length = snprintf(path, bytes, "%s/%s%s%s%s", directory, name, first ? "" : "_",
                          first ? "" : channel_name, nxs ? ".nxs" : "_master.h5");
    return length < 0 || (size_t)length >= bytes ? SLUICE_LIMIT : SLUICE_OK;
}

const char *sluice_layout_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}
