/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as the body of an arm and of a stop. Whatever is taken is bounded, NUL-terminated and
 * within the documented limits. */
#include <stdlib.h>
#include <string.h>

#include "ingest/service/http_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void must(int holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct sluice_error error = {0};
    struct sluice_arm arm;
    double timeout_s;
    if (sluice_http_parse_arm((const char *)data, bytes, &arm, &error) == SLUICE_OK) {
        must(memchr(arm.name, '\0', sizeof(arm.name)) != NULL);
        must(memchr(arm.directory, '\0', sizeof(arm.directory)) != NULL);
        must(memchr(arm.acquisition_id, '\0', sizeof(arm.acquisition_id)) != NULL);
        must(arm.width <= 65535 && arm.height <= 65535 && (arm.width == 0) == (arm.height == 0));
        must(!arm.has_dtype || (unsigned)arm.dtype < SLUICE_DTYPE_COUNT);
    } else {
        must(error.message[0] != '\0');
    }
    sluice_error_clear(&error);
    if (sluice_http_parse_stop((const char *)data, bytes, &timeout_s, &error) == SLUICE_OK)
        must(timeout_s >= 0 && timeout_s <= SLUICE_STOP_TIMEOUT_MAX_S);
    return 0;
}
