/* SPDX-License-Identifier: Apache-2.0
 *
 * The address file is written under another name and renamed, and it is removed at the end; one of
 * a killed process is replaced by the next of that name. */
#include "cli/surface.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/settings.h"
#include "core/log.h"

static enum sluice_status arm(void *context, struct sluice_arm *request)
{
    struct sluice_surface *surface = context;
    return sluice_source_arm(surface->source, request);
}

static void stop(void *context, uint64_t number)
{
    struct sluice_surface *surface = context;
    sluice_source_stop_series(surface->source, number);
}

static bool is_healthy(void *context)
{
    const struct sluice_surface *surface = context;
    for (size_t i = 0; i < 2; i++)
        if (surface->watched[i] == NULL ||
            sluice_load_acquire(&surface->watched[i]->done)) /* [edge AGENT_DONE] */
            return false;
    return true;
}

enum sluice_status sluice_surface_open(struct sluice_surface *surface,
                                       const struct sluice_config *config, const char *instance,
                                       const struct sluice_counters *counters,
                                       struct sluice_source *source, struct sluice_error *error)
{
    size_t bytes = 0;
    if (config->http_listen[0] == '\0')
        return SLUICE_OK;
    FILE *text = open_memstream(&surface->config_json, &bytes);
    if (text != NULL) {
        sluice_config_print_json(config, text);
        if (fclose(text) != 0) {
            free(surface->config_json);
            surface->config_json = NULL;
        }
    }
    if (surface->config_json == NULL)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for the HTTP surface");
    surface->source = source;
    snprintf(surface->address_path, sizeof(surface->address_path), "%s/%s.http",
             config->state_directory, instance);
    const struct sluice_http_settings settings = {
        .listen = config->http_listen,
        .token_file = config->http_token_file,
        .host_names = config->http_host_names,
        .connections_max = config->http_connections_max,
        .instance = instance,
        .version = SLUICE_VERSION,
        .config_json = surface->config_json,
    };
    const struct sluice_http_ports ports = {
        .counters = counters,
        .clock = sluice_clock_system(),
        .arm = arm,
        .stop = stop,
        .is_healthy = is_healthy,
        .context = surface,
    };
    return sluice_http_create(&settings, &ports, &surface->http, error);
}

static void tell_address(struct sluice_surface *surface)
{
    char beside[sizeof(surface->address_path) + 32];
    snprintf(beside, sizeof(beside), "%s.%ld", surface->address_path, (long)getpid());
    FILE *file = fopen(beside, "we");
    /* For whoever is on this host: an address is no secret, and a umask may be narrow. */
    bool written = file != NULL && fchmod(fileno(file), 0644) == 0 &&
                   fprintf(file, "%s\n", sluice_http_url(surface->http)) > 0;
    if (file != NULL)
        written = fclose(file) == 0 && written;
    if (written && rename(beside, surface->address_path) == 0)
        return;
    sluice_log_warning("ingest", "cannot write %s: sluice status will need --url",
                       surface->address_path);
    (void)unlink(beside);
    surface->address_path[0] = '\0';
}

enum sluice_status sluice_surface_start(struct sluice_surface *surface,
                                        const struct sluice_agent *a, const struct sluice_agent *b,
                                        struct sluice_error *error)
{
    const struct sluice_agent_settings settings = {.cpu = -1, .spin_us = 0};
    if (surface->http == NULL)
        return SLUICE_OK;
    surface->watched[0] = a;
    surface->watched[1] = b;
    const enum sluice_status status = sluice_agent_start(&surface->agent, &sluice_http_agent_ops,
                                                         surface->http, &settings, error);
    if (status == SLUICE_OK)
        tell_address(surface);
    return status;
}

void sluice_surface_finish(struct sluice_surface *surface)
{
    if (surface->http == NULL)
        return;
    sluice_http_finish(surface->http);
    sluice_agent_join(&surface->agent);
    if (surface->address_path[0] != '\0')
        (void)unlink(surface->address_path);
}

void sluice_surface_close(struct sluice_surface *surface)
{
    sluice_http_destroy(surface->http);
    free(surface->config_json);
    surface->http = NULL;
    surface->config_json = NULL;
}
