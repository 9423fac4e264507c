/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a configuration file, and any text as `--set`. Beyond not crashing: what was
 * accepted and printed has to load again and print the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static char *printed(const struct sluice_config *config)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);
    if (!stream) {
        abort();
    }
    sluice_config_print(config, stream);
    fclose(stream);
    return text;
}

static void round_trip(const struct sluice_config *config)
{
    struct sluice_config again;
    struct sluice_error error = {0};
    char *first = printed(config);
    if (sluice_config_init(&again, &error) != SLUICE_OK ||
        sluice_config_load_text(&again, first, strlen(first), "printed", &error) != SLUICE_OK) {
        fprintf(stderr, "%s\n%s", error.message, first);
        abort();
    }
    /* Where a value came from differs: compare without it. */
    memset(again.origins, 0, sizeof again.origins);
    char *second = printed(&again);
    struct sluice_config bare = *config;
    memset(bare.origins, 0, sizeof bare.origins);
    char *want = printed(&bare);
    if (strcmp(want, second) != 0) {
        fprintf(stderr, "%s\n%s", want, second);
        abort();
    }
    free(first);
    free(second);
    free(want);
    sluice_config_close(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct sluice_config config;
    struct sluice_error error = {0};
    char *text = malloc(bytes + 1);
    if (!text || sluice_config_init(&config, &error) != SLUICE_OK) {
        abort();
    }
    if (bytes > 0) {
        memcpy(text, data, bytes);
    }
    text[bytes] = '\0';
    if (sluice_config_load_text(&config, text, bytes, "fuzz", &error) == SLUICE_OK) {
        round_trip(&config);
    }
    if (sluice_config_set(&config, text, &error) == SLUICE_OK) {
        round_trip(&config);
    }
    free(text);
    sluice_config_close(&config);
    return 0;
}
