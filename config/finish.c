/* SPDX-License-Identifier: Apache-2.0
 *
 * What one key alone cannot say: keys that must agree with each other, defaults that depend on the
 * user, and settings that two rooms share. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/value.h"

#define SHARED "/tmp/sluice-"

enum sluice_status sluice_config_require(const struct sluice_config *config,
                                         enum sluice_config_key_id id, struct sluice_error *error)
{
    const struct sluice_config_key *key = sluice_config_key(id);
    const char *text = NULL;
    if (key->bytes == sizeof text)
        memcpy(&text, (const char *)config + key->offset, sizeof text);
    if (text && *text)
        return SLUICE_OK;
    return sluice_error_set(
        error, SLUICE_CONFIG, "%s is not set: give --set %s=%s, or put it into the file", key->name,
        key->name, key->type == SLUICE_TYPE_ENDPOINT ? "tcp://HOST:31001" : "TEXT");
}

/* Anybody can make a directory in /tmp beforehand, and links in it. */
static enum sluice_status check_owner(const char *path, struct sluice_error *error)
{
    struct stat about;
    if (lstat(path, &about) != 0 || (S_ISDIR(about.st_mode) && about.st_uid == geteuid()))
        return SLUICE_OK; /* none yet: whoever writes there makes it */
    return sluice_error_set(error, SLUICE_CONFIG,
                            "%s is no directory of this user: remove it, or set "
                            "instance.state_directory",
                            path);
}

static enum sluice_status fill_state_directory(struct sluice_config *config,
                                               struct sluice_error *error)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    char path[1024];
    int length;
    if (config->state_directory[0] != '\0')
        return SLUICE_OK;
    if (runtime && runtime[0] == '/')
        length = snprintf(path, sizeof path, "%s/sluice", runtime);
    else if (geteuid() == 0)
        length = snprintf(path, sizeof path, "/run/sluice");
    else
        length = snprintf(path, sizeof path, SHARED "%u", (unsigned)geteuid());
    if (length > (int)sluice_config_key(SLUICE_KEY_instance_state_directory)->max) {
        return sluice_error_set(error, SLUICE_CONFIG,
                                "XDG_RUNTIME_DIR is too long; set instance.state_directory");
    }
    if (strncmp(path, SHARED, sizeof SHARED - 1) == 0 && check_owner(path, error) != SLUICE_OK)
        return SLUICE_CONFIG;
    config->state_directory = sluice_config_keep(config, path);
    return config->state_directory ? SLUICE_OK
                                   : sluice_error_set(error, SLUICE_NO_MEMORY, "out of memory");
}

enum sluice_status sluice_config_finish(struct sluice_config *config, struct sluice_error *error)
{
    const struct sluice_source_settings *source = &config->source;
    struct sluice_writer_settings *writer = &config->writer;
    if (writer->images_per_file > writer->images_per_file_max) {
        return sluice_error_set(error, SLUICE_CONFIG,
                                "writer.images_per_file (%llu) is larger than "
                                "writer.images_per_file_max (%llu)",
                                (unsigned long long)writer->images_per_file,
                                (unsigned long long)writer->images_per_file_max);
    }
    if (!source->bind && strncmp(source->endpoint, "tcp://*:", 8) == 0) {
        return sluice_error_set(
            error, SLUICE_CONFIG,
            "source.endpoint: %s can only be bound: name the detector's host, or "
            "set source.mode to bind",
            source->endpoint);
    }
    if (source->topic[0] != '\0' && source->socket != SLUICE_SOCKET_SUB) {
        return sluice_error_set(error, SLUICE_CONFIG,
                                "source.topic is only for source.socket: sub; a PUSH socket has no "
                                "topics");
    }
    if (source->bind
            ? source->curve_server_file[0] != '\0'
            : source->curve_secret_file[0] != '\0' && source->curve_server_file[0] == '\0') {
        return sluice_error_set(error, SLUICE_CONFIG,
                                source->bind ? "source.curve_server_file is for connecting: bound, "
                                               "source.curve_secret_file is our own key"
                                             : "source.curve_secret_file needs the sender's public "
                                               "key too: source.curve_server_file");
    }
    if (source->endpoint[0] != '\0' && strcmp(source->endpoint, config->notify_endpoint) == 0) {
        return sluice_error_set(error, SLUICE_CONFIG,
                                "source.endpoint and notify.endpoint are the same: %s",
                                source->endpoint);
    }
    config->source.user_data_bytes_max = writer->user_data_bytes_max;
    writer->id_jump_max = source->id_jump_max;
    return fill_state_directory(config, error);
}
