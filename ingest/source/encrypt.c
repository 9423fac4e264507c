/* SPDX-License-Identifier: Apache-2.0
 *
 * CURVE on the source's socket: a client of the sender's key when it connects, a server with our
 * own pair when it is bound. config/ has seen to it that the two settings agree. */
#include <errno.h>
#include <string.h>
#include <zmq.h>

#include "core/keyfile.h"
#include "ingest/source/internal.h"

static bool is_set(const char *path)
{
    return path != NULL && path[0] != '\0';
}

static bool set_key(void *socket, int option, const char *key)
{
    return zmq_setsockopt(socket, option, key, SLUICE_KEY_BYTES) == 0;
}

/* Our own pair: the file's, or a new one. */
static enum sluice_status own_pair(const struct sluice_source_settings *settings,
                                   struct sluice_key_pair *pair, struct sluice_error *error)
{
    if (!is_set(settings->curve_secret_file)) {
        if (zmq_curve_keypair(pair->public_key, pair->secret_key) == 0)
            return SLUICE_OK;
        return sluice_error_set(error, SLUICE_CONFIG, "source.curve_server_file: %s",
                                zmq_strerror(errno));
    }
    const enum sluice_status status =
        sluice_key_file_read(settings->curve_secret_file, true, pair, error);
    char derived[SLUICE_KEY_BYTES] = "";
    if (status != SLUICE_OK)
        sluice_error_prefix(error, "source.curve_secret_file");
    else if (zmq_curve_public(derived, pair->secret_key) != 0 ||
             strcmp(derived, pair->public_key) != 0) /* no handshake would ever succeed */
        return sluice_error_set(error, SLUICE_CONFIG,
                                "source.curve_secret_file: the two keys in %s are no pair",
                                settings->curve_secret_file);
    return status;
}

enum sluice_status sluice_source_encrypt(const struct sluice_source_settings *settings,
                                         void *socket, struct sluice_error *error)
{
    struct sluice_key_pair own, server = {"", ""};
    const int yes = 1;
    if (!is_set(settings->curve_server_file) && !is_set(settings->curve_secret_file))
        return SLUICE_OK;
    enum sluice_status status = own_pair(settings, &own, error);
    if (status == SLUICE_OK && is_set(settings->curve_server_file)) {
        status = sluice_key_file_read(settings->curve_server_file, false, &server, error);
        if (status != SLUICE_OK)
            sluice_error_prefix(error, "source.curve_server_file");
    }
    if (status != SLUICE_OK)
        return status;
    const bool set = settings->bind
                         ? zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &yes, sizeof(yes)) == 0 &&
                               set_key(socket, ZMQ_CURVE_SECRETKEY, own.secret_key)
                         : set_key(socket, ZMQ_CURVE_SERVERKEY, server.public_key) &&
                               set_key(socket, ZMQ_CURVE_PUBLICKEY, own.public_key) &&
                               set_key(socket, ZMQ_CURVE_SECRETKEY, own.secret_key);
    explicit_bzero(&own, sizeof(own));
    return set ? SLUICE_OK
               : sluice_error_set(error, SLUICE_CONFIG, "source.curve_server_file: %s",
                                  zmq_strerror(errno));
}

enum sluice_status sluice_source_check_keys(const struct sluice_source_settings *settings,
                                            struct sluice_error *error)
{
    void *context = zmq_ctx_new();
    void *socket = context != NULL ? zmq_socket(context, ZMQ_PULL) : NULL;
    const enum sluice_status status =
        socket != NULL
            ? sluice_source_encrypt(settings, socket, error)
            : sluice_error_set(error, SLUICE_SYSTEM, "no ZeroMQ socket: %s", zmq_strerror(errno));
    if (socket != NULL)
        zmq_close(socket);
    if (context != NULL)
        zmq_ctx_term(context);
    return status;
}
