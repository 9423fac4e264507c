/* SPDX-License-Identifier: Apache-2.0
 *
 * Of the format only what matters is read: the two quoted values, wherever they stand. The secret
 * file is made with its mode from the first byte on, and never over another. */
#include "core/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES_MAX 4096

/* Letters, digits and the signs of Z85. */
static bool is_key(const char *text)
{
    static const char alphabet[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   ".-:+=^!/*?&<>()[]{}@%$#";
    return strspn(text, alphabet) == SLUICE_KEY_BYTES - 1 && text[SLUICE_KEY_BYTES - 1] == '"';
}

/* Takes `name = "VALUE"`; false when it is there but no key. */
static bool take_key(const char *text, const char *name, char *key)
{
    const char *at = text;
    key[0] = '\0';
    while ((at = strstr(at, name)) != NULL) {
        const char *value = at + strlen(name);
        at = value;
        value += strspn(value, " \t");
        if (*value++ != '=')
            continue;
        value += strspn(value, " \t");
        if (*value++ != '"' || !is_key(value))
            return false;
        memcpy(key, value, SLUICE_KEY_BYTES - 1);
        key[SLUICE_KEY_BYTES - 1] = '\0';
        return true;
    }
    return true;
}

enum sluice_status sluice_key_file_read(const char *path, bool secret, struct sluice_key_pair *pair,
                                        struct sluice_error *error)
{
    char text[FILE_BYTES_MAX + 1];
    struct stat file;
    memset(pair, 0, sizeof(*pair));
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t bytes = -1;
    if (fd >= 0 && fstat(fd, &file) == 0)
        bytes = read(fd, text, sizeof(text) - 1);
    const int code = errno;
    if (fd >= 0)
        close(fd);
    if (bytes < 0)
        return sluice_error_errno(error, SLUICE_CONFIG, code, "cannot read the key file %s", path);
    text[bytes] = '\0';
    if (!take_key(text, "public-key", pair->public_key) ||
        !take_key(text, "secret-key", pair->secret_key) || pair->public_key[0] == '\0')
        return sluice_error_set(error, SLUICE_CONFIG,
                                "%s is no CURVE key file (`sluice keygen` makes one)", path);
    if (secret && pair->secret_key[0] == '\0')
        return sluice_error_set(error, SLUICE_CONFIG,
                                "%s holds no secret key: the file NAME.key_secret is wanted", path);
    if (pair->secret_key[0] != '\0' && (file.st_mode & S_IRWXO) != 0)
        return sluice_error_set(error, SLUICE_CONFIG, "everybody may read %s: chmod 600 it", path);
    return SLUICE_OK;
}

static enum sluice_status write_one(const char *path, mode_t mode, const char *text,
                                    struct sluice_error *error)
{
    const int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, mode);
    if (fd < 0)
        return sluice_error_errno(error, errno == EEXIST ? SLUICE_EXISTS : SLUICE_IO, errno,
                                  "cannot make %s", path);
    const size_t bytes = strlen(text);
    const bool written = write(fd, text, bytes) == (ssize_t)bytes && fsync(fd) == 0;
    const int code = errno;
    close(fd);
    if (written)
        return SLUICE_OK;
    unlink(path);
    return sluice_error_errno(error, SLUICE_IO, code, "cannot write %s", path);
}

enum sluice_status sluice_key_file_write(const char *name, const struct sluice_key_pair *pair,
                                         struct sluice_error *error)
{
    char secret_path[1024], public_path[1024], text[256];
    snprintf(public_path, sizeof(public_path), "%s.key", name);
    if ((size_t)snprintf(secret_path, sizeof(secret_path), "%s.key_secret", name) >=
        sizeof(secret_path))
        return sluice_error_set(error, SLUICE_LIMIT, "the name is too long");
    if (access(public_path, F_OK) == 0)
        return sluice_error_errno(error, SLUICE_EXISTS, EEXIST, "cannot make %s", public_path);
    snprintf(text, sizeof(text),
             "metadata\ncurve\n    public-key = \"%s\"\n    secret-key = \"%s\"\n",
             pair->public_key, pair->secret_key);
    const enum sluice_status status = write_one(secret_path, 0600, text, error);
    if (status != SLUICE_OK)
        return status;
    snprintf(text, sizeof(text), "metadata\ncurve\n    public-key = \"%s\"\n", pair->public_key);
    return write_one(public_path, 0644, text, error);
}
